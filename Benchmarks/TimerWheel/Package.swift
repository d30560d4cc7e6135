// swift-tools-version: 6.2

import PackageDescription

// The wheel's own sources are linked into this target's folder, since no product shows them.
let package = Package(
    name: "timer-benchmarks",
    targets: [
        .executableTarget(
            name: "timer-bench",
            swiftSettings: [
                .swiftLanguageMode(.v6), .strictMemorySafety(),
                .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ])
    ]
)
