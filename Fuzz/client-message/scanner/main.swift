import ClientProperties
import Fuzzing

// The scanner of browser messages: cheap properties.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, BrowserMessages.check)
}
