import Fuzzing
import RESPProperties

// The parser of a subscribed connection: cheap properties.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, PubSubStreams.check)
}
