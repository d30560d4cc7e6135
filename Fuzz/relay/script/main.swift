import Fuzzing
import Simulation

// The whole relay on the simulated machine, both its sides in the hands of a script.
unsafe FuzzDriver.run { data, count in
    unsafe FuzzDriver.check(data, count, RelayScript.check)
}
