import WSFrameProperties

// The request parser, the upgrade and the client's handshake; see ../wsframe/README.md.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, HTTPProperties.check)
}
