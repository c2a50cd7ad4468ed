// swift-tools-version: 6.2
import PackageDescription

// Unsafe code compiles only in the C-facing modules; see docs/contributing.md.
let safe: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]
let facingC: [SwiftSetting] = [.treatAllWarnings(as: .error)]
// Optimised in debug builds too: kernels are what tests spend their time in. Never contracted; see docs/numerics.md.
let optimised: [CSetting] = [.unsafeFlags(["-O3", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"])]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let containers = Target.Dependency.product(name: "BasicContainers", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deques = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heaps = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "ryzanstein-cluster",
    products: [
        .executable(name: "ryz-coord", targets: ["ryz-coord"]),
        .executable(name: "ryz-worker", targets: ["ryz-worker"]),
        .executable(name: "ryz", targets: ["ryz"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Programs
        .executableTarget(
            name: "ryz-coord",
            dependencies: [
                "Checkpoints", "ClusterCore", "CommandSupport", "CoordinatorRuntime", "HTTPAPI", "Inference",
                "ModelTools", "Tokenization", "Transport", "WeightTransfer", "ZeroMQ", argumentParser, logging,
                serviceLifecycle,
            ], swiftSettings: safe),
        .executableTarget(
            name: "ryz-worker",
            dependencies: [
                "Checkpoints", "CommandSupport", "Kernels", "Transport", "WorkerRuntime", "ZeroMQ", argumentParser,
                logging, serviceLifecycle,
            ], swiftSettings: safe),
        .executableTarget(
            name: "ryz",
            dependencies: [
                "Checkpoints", "ClusterClient", "ClusterCore", "Collectives", "CommandSupport", "CoordinatorRuntime",
                "Inference", "Kernels", "LocalCluster", "ModelTools", "OperatorTools", "Simulation", "Tokenization",
                "Transport", "ZeroMQ", argumentParser, containers, unixSignals,
            ], swiftSettings: safe),
        .target(
            name: "CommandSupport",
            dependencies: ["Kernels", "Transport", argumentParser, crypto, logging, unixSignals],
            swiftSettings: safe),
        .target(
            name: "OperatorTools",
            dependencies: ["ClusterClient", "ClusterCore", "JSON", "ModelTools", "Templates", "Transport"],
            swiftSettings: safe),
        .target(
            name: "ModelTools",
            dependencies: ["Checkpoints", "ClusterCore", "Inference", "JSON", "Kernels", "Transport"],
            swiftSettings: safe),
        .target(
            name: "LocalCluster",
            dependencies: [
                "ClusterClient", "ClusterCore", "CommandSupport", "Fuzzing", "Kernels", "Transport", "Wire", "ZeroMQ",
                nioCore, nioPosix,
            ], swiftSettings: safe),
        .target(name: "Fuzzing", dependencies: ["Transport", "Wire"], swiftSettings: safe),

        // Shells
        .target(
            name: "HTTPAPI",
            dependencies: [
                "Checkpoints", "ClusterCore", "CoordinatorRuntime", "JSON", "Templates", "Tokenization", "Transport",
                crypto, hummingbird, httpTypes, logging, nioCore, nioHTTP1, serviceLifecycle,
            ], swiftSettings: safe),
        .target(
            name: "ClusterClient", dependencies: ["ClusterCore", "Transport", nioCore, nioPosix, nioHTTP1],
            swiftSettings: safe),
        .target(
            name: "CoordinatorRuntime",
            dependencies: [
                "ClusterCore", "Kernels", "Transport", "WeightTransfer", "ZeroMQ", logging, serviceLifecycle, yams,
            ],
            swiftSettings: safe),
        .target(
            name: "WorkerRuntime",
            dependencies: [
                "Checkpoints", "Collectives", "Inference", "Kernels", "Transport", "WeightTransfer", "Wire", "ZeroMQ",
                logging, serviceLifecycle,
            ], swiftSettings: safe),
        .target(
            name: "WeightTransfer", dependencies: ["Checkpoints", "Kernels", "Transport", "ZeroMQ", logging],
            swiftSettings: safe),

        .target(
            name: "Simulation",
            dependencies: [
                "ClusterCore", "CoordinatorRuntime", "Inference", "Kernels", "Transport", "Wire", "WorkerRuntime",
                deques, heaps,
            ], swiftSettings: safe),

        // Pure core
        .target(name: "ClusterCore", dependencies: ["Transport"], swiftSettings: safe),

        // Compute
        .target(
            name: "Inference",
            dependencies: ["Checkpoints", "Collectives", "JSON", "Kernels", "Transport", containers],
            swiftSettings: safe),
        .target(name: "Collectives", dependencies: ["Kernels", "Transport"], swiftSettings: safe),
        .target(
            name: "Checkpoints", dependencies: ["JSON", "Kernels", "Transport", crypto], swiftSettings: safe),
        .target(name: "Tokenization", dependencies: ["Checkpoints", "JSON", "Templates"], swiftSettings: safe),
        .target(name: "Templates", swiftSettings: safe),
        .target(name: "JSON", swiftSettings: safe),

        // Seams
        .target(name: "Transport", swiftSettings: safe),

        // Facing C
        .target(name: "ZeroMQ", dependencies: ["Transport", "Wire", "CZeroMQ"], swiftSettings: facingC),
        .target(name: "Wire", dependencies: ["Transport", "CClusterProto", "CProtobufC"], swiftSettings: facingC),
        .target(name: "Kernels", dependencies: ["CKernels", crypto], swiftSettings: facingC),

        // C
        .target(name: "CKernels", cSettings: optimised),
        .target(name: "CClusterProto", dependencies: ["CProtobufC"], cSettings: optimised),
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c",
            providers: [.apt(["libprotobuf-c-dev", "protobuf-c-compiler"])]),

        // Tests
        .target(
            name: "TestSupport", dependencies: ["Checkpoints", "Kernels"], path: "Tests/TestSupport",
            swiftSettings: safe),
        .testTarget(name: "KernelsTests", dependencies: ["Kernels", "TestSupport"], swiftSettings: safe),
        .testTarget(
            name: "CheckpointsTests", dependencies: ["Checkpoints", "Kernels", "TestSupport"], swiftSettings: safe),
        .testTarget(
            name: "TokenizationTests", dependencies: ["Tokenization", "Checkpoints", "JSON", "TestSupport"],
            swiftSettings: safe),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: safe),
        .testTarget(name: "TemplatesTests", dependencies: ["Templates", "TestSupport"], swiftSettings: safe),
        .testTarget(
            name: "InferenceTests",
            dependencies: ["Inference", "Checkpoints", "Collectives", "Kernels", "Transport", "TestSupport"],
            swiftSettings: safe),
        .testTarget(
            name: "TransportTests", dependencies: ["CommandSupport", "Transport", logging], swiftSettings: safe),
        .testTarget(
            name: "WireTests", dependencies: ["Fuzzing", "TestSupport", "Wire", "Transport"], swiftSettings: facingC),
        .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ", "Wire", "Transport"], swiftSettings: facingC),
        .testTarget(
            name: "WeightTransferTests",
            dependencies: [
                "WeightTransfer", "Checkpoints", "Kernels", "TestSupport", "Transport", "ZeroMQ", logging,
            ], swiftSettings: safe),
        .testTarget(
            name: "WorkerRuntimeTests",
            dependencies: [
                "Checkpoints", "Collectives", "Inference", "Kernels", "TestSupport", "WeightTransfer", "WorkerRuntime",
                "ZeroMQ", "Wire", "Transport", logging,
            ],
            swiftSettings: facingC),
        .testTarget(
            name: "ClusterCoreTests", dependencies: ["ClusterCore", "TestSupport", "Transport"], swiftSettings: safe),
        .testTarget(
            name: "CoordinatorRuntimeTests",
            dependencies: [
                "ClusterCore", "Collectives", "CoordinatorRuntime", "Transport", "WorkerRuntime", "ZeroMQ", logging,
            ], swiftSettings: facingC),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "ClusterCore", "Transport"], swiftSettings: safe),
        .testTarget(
            name: "OperatorToolsTests",
            dependencies: ["OperatorTools", "ClusterClient", "ClusterCore", "Templates", "TestSupport", "Transport"],
            swiftSettings: safe),
        .testTarget(
            name: "ModelToolsTests",
            dependencies: [
                "ModelTools", "Checkpoints", "Inference", "Kernels", "OperatorTools", "TestSupport", "Tokenization",
                "Transport",
            ], swiftSettings: safe),
        .testTarget(
            name: "LocalClusterTests",
            dependencies: [
                "LocalCluster", "ClusterClient", "ClusterCore", "Kernels", "TestSupport", "Transport", "ryz-coord",
                "ryz-worker",
            ], swiftSettings: safe),
        .testTarget(
            name: "HTTPAPITests",
            dependencies: [
                "HTTPAPI", "Checkpoints", "ClusterClient", "ClusterCore", "Fuzzing", "TestSupport", "Tokenization",
                "Transport", crypto, hummingbird, httpTypes, logging, nioCore,
                nioEmbedded, nioPosix, serviceLifecycle,
            ], swiftSettings: safe),
    ]
)
