import Fuzzing
import RESPProperties

// Values that were read, as JSON and as text.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, RenderedValues.check)
}
