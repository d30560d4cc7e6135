import Fuzzing
import RESPProperties

// Values that were read, written again.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, WrittenValues.check)
}
