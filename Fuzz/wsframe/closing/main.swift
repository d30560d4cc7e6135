import Fuzzing
import WSFrameProperties

// The closing handshake against its table.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, CloseScripts.check)
}
