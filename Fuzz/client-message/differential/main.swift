import ClientProperties
import Fuzzing

// The scanner against a plain JSON parser.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, ClientMessageProperties.check)
}
