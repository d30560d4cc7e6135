// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "resp-benchmarks",
    dependencies: [.package(name: "status2", path: "../..")],
    targets: [
        // hiredis is Debian's libhiredis-dev.
        .target(name: "CHiredisBench", linkerSettings: [.linkedLibrary("hiredis")]),
        .executableTarget(
            name: "resp-bench",
            dependencies: ["CHiredisBench", .product(name: "RESP", package: "status2")],
            swiftSettings: [
                .swiftLanguageMode(.v6), .strictMemorySafety(),
                .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ]),
    ]
)
