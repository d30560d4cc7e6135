import Fuzzing
import RESPProperties

// Everything at many cuts, and against the reference parser.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, Properties.check)
}
