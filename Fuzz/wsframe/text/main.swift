import Fuzzing
import WSFrameProperties

// UTF-8 validation and JSON escaping.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, TextBytes.check)
}
