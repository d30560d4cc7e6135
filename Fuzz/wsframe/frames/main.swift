import Fuzzing
import WSFrameProperties

// The frame decoder in both roles: cheap properties.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, FrameStreams.check)
}
