import Fuzzing
import RESPProperties

// The parser of commands: cheap properties.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, CommandStreams.check)
}
