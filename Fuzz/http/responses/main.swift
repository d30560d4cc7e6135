import Fuzzing
import WSFrameProperties

// The client's handshake: cheap properties.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, ResponseHeads.check)
}
