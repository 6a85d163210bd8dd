// swift-tools-version: 6.2
// The targets of Berth and what each may import. The house test reads the sources and holds them to this table.

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, resources: [Resource]? = nil
) -> Target {
    .target(name: name, dependencies: dependencies, path: path, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let persistentMaps: Target.Dependency = .product(name: "HashTreeCollections", package: "swift-collections")
let heaps: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let deques: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")

let package = Package(
    name: "berth",
    products: [
        .executable(name: "berth", targets: ["berth"]),
        .executable(name: "berth-bench", targets: ["berth-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // What Berth exists for.
        library("Model"),
        library("Packing", ["Model", heaps]),
        library("Engine", ["Model", "Packing", persistentMaps, heaps, deques]),

        // What carries it.
        library("JSON"),
        library("Storage", ["Model", "CLinux"]),
        .target(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        library("HTTP", ["CLinux", "COpenSSL", "CZlib"]),
        library(
            "API", ["Model", "Packing", "Engine", "JSON", "HTTP"], resources: [.embedInCode("Resources/openapi.json")]),
        library(
            "Service", ["Model", "Packing", "Engine", "JSON", "Storage", "HTTP", "API", "CLinux", logging],
            resources: [.embedInCode("Resources/fleet.json")]),
        .executableTarget(
            name: "berth", dependencies: ["Service", argumentParser], swiftSettings: strict),

        // What proves it.
        library(
            "TestKit", ["Model", "Packing", "Engine", "JSON", "Storage", "HTTP", "API", "Service"],
            path: "Tests/TestKit"),
        library("Bench", ["Model", "Packing", "Engine", "JSON", "Storage", "HTTP", "API", "Service"]),
        .target(name: "CAllocations"),
        .executableTarget(
            name: "berth-bench", dependencies: ["Bench", "CAllocations", argumentParser], swiftSettings: strict),
        tests("HouseTests", []),
        tests("ModelTests", ["Model", "TestKit"]),
        tests("PackingTests", ["Model", "Packing", "TestKit"]),
        tests("EngineTests", ["Model", "Packing", "Engine", "TestKit"]),
        tests("JSONTests", ["JSON", "TestKit"]),
        tests("StorageTests", ["Model", "Storage", "TestKit"]),
        tests("HTTPTests", ["HTTP", "TestKit"]),
        tests("APITests", ["Model", "Engine", "JSON", "HTTP", "API", "TestKit"]),
        tests("ServiceTests", ["Model", "Engine", "JSON", "Storage", "HTTP", "API", "Service", "Bench", "TestKit"]),
    ]
)
