import Fuzzing
import WSFrameProperties

// Heads byte by byte and at many cuts, written out again.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, HTTPProperties.check)
}
