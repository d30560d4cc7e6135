import Fuzzing
import WSFrameProperties

// Request heads and upgrades: cheap properties.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, RequestHeads.check)
}
