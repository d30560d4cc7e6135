// swift-tools-version: 6.2

import PackageDescription

/// Every target is compiled under the same rules; see docs/decisions/0001-compiler-rules.md.
let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// In a fuzzing build every executable is linked with libFuzzer, whose own `main` wants this symbol.
let executableLinking: [LinkerSetting] = [
    .unsafeFlags(["-Xlinker", "--defsym=LLVMFuzzerTestOneInput=0"])
]

/// A fuzz harness finds libFuzzer's driver at run time when the build has one, and otherwise replays
/// the files that it is given.
let harnessLinking: [LinkerSetting] =
    executableLinking + [
        .unsafeFlags(["-Xlinker", "--export-dynamic-symbol=LLVMFuzzerRunDriver"])
    ]

/// A product of another package, which the daemon and its tools need, and the libraries do not.
func external(_ product: String, _ package: String) -> Target.Dependency {
    .product(name: product, package: package, condition: .when(traits: ["Daemon"]))
}

/// A fuzz harness: `fuzz-AREA-PROPERTY`, a few lines around a property of a support target.
func harness(_ area: String, _ property: String, _ support: Target.Dependency) -> Target {
    .executableTarget(
        name: "fuzz-\(area)-\(property)", dependencies: ["Fuzzing", support],
        path: "Fuzz/\(area)/\(property)", swiftSettings: rules, linkerSettings: harnessLinking)
}

/// What `Scripts/fuzz` runs; Fuzz/README.md says what each of them holds against what.
let harnesses: [Target] =
    ["values", "pubsub", "commands", "writing", "rendering", "building", "differential"]
    .map { harness("resp", $0, "RESPProperties") }
    + ["frames", "writing", "text", "dump", "closing", "differential"]
    .map { harness("wsframe", $0, "WSFrameProperties") }
    + ["requests", "responses", "writing", "differential"]
    .map { harness("http", $0, "WSFrameProperties") }
    + ["scanner", "differential"]
    .map { harness("client-message", $0, "ClientProperties") }

/// The simulated machine looks at what the daemon keeps to itself, which a release build allows only
/// with `-enable-testing`. So that a plain `swift build -c release` needs no flag, the machine is there
/// for the tests alone, unless the environment asks for the programs that stand on it too, as the
/// Makefile and the scripts do.
let hasSimulators = Context.environment["STATUS2_SIMULATION"] != nil

let machine: Target = {
    let dependencies: [Target.Dependency] = ["Relay", "RESP", "WSFrame", "Fuzzing"]
    let path = "Tests/Support/Simulation"
    // Only tests may depend on a test target, and it is built with them alone.
    return hasSimulators
        ? .target(
            name: "Simulation", dependencies: dependencies, path: path, swiftSettings: rules)
        : .testTarget(
            name: "Simulation", dependencies: dependencies, path: path, swiftSettings: rules)
}()

let simulators: [Target] =
    hasSimulators
    ? [
        .executableTarget(
            name: "simulate", dependencies: ["Simulation"], path: "Tests/Simulation",
            exclude: ["mutations"], swiftSettings: rules,
            linkerSettings: executableLinking),
        harness("relay", "script", "Simulation"),
    ] : []

/// The commit that a build is made from, for `status2 --version`; the Makefile gives it. A setting of
/// Main alone, so that the next commit compiles no more than that anew.
let build: [SwiftSetting] =
    Context.environment["STATUS2_REVISION"].map {
        [.unsafeFlags(["-Xcc", "-DSTATUS2_REVISION=\($0)"])]
    } ?? []

let package = Package(
    name: "status2",
    products: [
        .executable(name: "status2", targets: ["Main"]),
        .library(name: "RESP", targets: ["RESP"]),
        .library(name: "WSFrame", targets: ["WSFrame"]),
    ],
    // Who takes RESP or WSFrame with `traits: []` is not made to fetch what the daemon alone needs; see
    // docs/decisions/0018-libraries-by-traits.md.
    traits: [
        .trait(name: "Daemon", description: "The daemon and its tools, with their packages."),
        .default(enabledTraits: ["Daemon"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .target(name: "RESP", swiftSettings: rules),
        .target(name: "WSFrame", swiftSettings: rules),

        .systemLibrary(name: "CLinux", path: "Sources/Relay/Edges/Sys/CLinux"),
        .systemLibrary(name: "CBuild", path: "Sources/Main/CBuild"),
        .systemLibrary(name: "COpenSSL", path: "Sources/Relay/Edges/TLS/COpenSSL"),
        .target(
            name: "Relay",
            dependencies: [
                "RESP", "WSFrame", "CLinux", "COpenSSL",
                external("DequeModule", "swift-collections"),
                external("Logging", "swift-log"),
            ],
            exclude: ["Edges/Sys/CLinux", "Edges/TLS/COpenSSL"],
            resources: [
                .embedInCode("Machines/HTTP/console.html"),
                .embedInCode("Machines/HTTP/console.js"),
                // Links to Clients/js.
                .embedInCode("Machines/HTTP/status-stream.js"),
                .embedInCode("Machines/HTTP/status-stream.mjs"),
                .embedInCode("Machines/HTTP/example.html"),
            ],
            swiftSettings: rules),
        .executableTarget(
            name: "Main",
            dependencies: [
                "Relay", "RESP", "WSFrame", "CBuild",
                external("ArgumentParser", "swift-argument-parser"),
                external("Logging", "swift-log"),
            ],
            exclude: ["CBuild"],
            swiftSettings: rules + build,
            linkerSettings: executableLinking),

        .target(name: "Fuzzing", path: "Tests/Support/Fuzzing", swiftSettings: rules),
        .target(
            name: "RESPProperties", dependencies: ["RESP", "Fuzzing"], path: "Tests/Support/RESP",
            swiftSettings: rules),
        .target(
            name: "WSFrameProperties", dependencies: ["WSFrame", "Fuzzing"],
            path: "Tests/Support/WSFrame", swiftSettings: rules),
        .target(
            name: "ClientProperties", dependencies: ["Relay", "Fuzzing"],
            path: "Tests/Support/Client", swiftSettings: rules),
        .testTarget(
            name: "RESPTests", dependencies: ["RESP", "RESPProperties", "Fuzzing"],
            swiftSettings: rules),
        .testTarget(
            name: "WSFrameTests", dependencies: ["WSFrame", "WSFrameProperties", "Fuzzing"],
            swiftSettings: rules),
        .testTarget(
            name: "RelayTests",
            dependencies: [
                "Relay", "RESP", "WSFrame", "CLinux", "COpenSSL", "ClientProperties",
                "WSFrameProperties", "Fuzzing", "Simulation",
            ],
            swiftSettings: rules),
        machine,
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "Fuzzing"],
            swiftSettings: rules),

        .executableTarget(
            name: "ws-echo",
            dependencies: [
                "Relay", external("ArgumentParser", "swift-argument-parser"),
            ],
            path: "Tests/Conformance/ws-echo", swiftSettings: rules,
            linkerSettings: executableLinking),

        .executableTarget(
            name: "status2-load",
            dependencies: [
                "Relay", external("ArgumentParser", "swift-argument-parser"),
            ],
            path: "Load/status2-load", swiftSettings: rules,
            linkerSettings: executableLinking),
    ] + harnesses + simulators
)
