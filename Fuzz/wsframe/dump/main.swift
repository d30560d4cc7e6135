import Fuzzing
import WSFrameProperties

// Captures shown as JSON.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, FrameDumps.check)
}
