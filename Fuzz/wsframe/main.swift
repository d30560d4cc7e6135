import WSFrameProperties

// Both roles of the frame decoder, UTF-8 validation and JSON escaping; see README.md.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, WebSocketProperties.check)
}
