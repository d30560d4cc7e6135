import Fuzzing
import WSFrameProperties

// Messages and close frames that were written, read again.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, WrittenFrames.check)
}
