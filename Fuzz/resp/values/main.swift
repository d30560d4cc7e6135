import Fuzzing
import RESPProperties

// The parser of all values: cheap properties.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, ValueStreams.check)
}
