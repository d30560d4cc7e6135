import ClientProperties
import WSFrameProperties

// The scanner of browser messages against a plain JSON parser; see ../README.md.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, ClientMessageProperties.check)
}
