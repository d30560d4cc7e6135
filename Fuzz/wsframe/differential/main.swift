import Fuzzing
import WSFrameProperties

// Frames at many cuts, and against the reference decoder.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, WebSocketProperties.check)
}
