import Fuzzing
import WSFrameProperties

// Heads that were written, read again.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, WrittenHeads.check)
}
