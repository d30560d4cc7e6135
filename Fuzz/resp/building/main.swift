import Fuzzing
import RESPProperties

// Values and commands made by a script, with all of the API.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, BuiltValues.check)
}
