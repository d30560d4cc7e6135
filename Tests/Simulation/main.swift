import Foundation
import Simulation

// Runs seeds of the simulated relay: Tests/Support/Simulation has the world, docs/simulation.md
// tells how to use this.
Command.run(Array(CommandLine.arguments.dropFirst()))
