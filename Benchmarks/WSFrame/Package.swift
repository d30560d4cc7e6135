// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "wsframe-benchmarks",
    dependencies: [.package(name: "status2", path: "../..")],
    targets: [
        // wslay is Debian's libwslay-dev.
        .target(name: "CWslayBench", linkerSettings: [.linkedLibrary("wslay")]),
        .executableTarget(
            name: "ws-bench",
            dependencies: ["CWslayBench", .product(name: "WSFrame", package: "status2")],
            swiftSettings: [
                .swiftLanguageMode(.v6), .strictMemorySafety(),
                .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ]),
    ]
)
