import Checkpoints
import Dispatch
import Inference
import Kernels
import Synchronization
import TestSupport
import Testing
import Transport
import WeightTransfer
import WorkerRuntime
import ZeroMQ

@Suite struct StageLoaderTests {
    private let loader = StageLoader(threadCount: 1, cpus: [], instructionSet: .best, modelsFolder: "/nonexistent")

    private func assignment(_ path: String, keyValueTokens: Int = 512) throws -> StageAssignment {
        let model = try ModelFile(path: path)
        return StageAssignment(
            modelFile: ModelFileReference(
                path: path, byteCount: UInt64(model.byteCount), headerDigest: model.headerDigest),
            stage: 0, stageCount: 1, rank: 0,
            ranks: [
                StageRank(
                    peer: Peer(node: try nodeID("w"), dataEndpoint: "tcp://10.0.0.2:7"),
                    share: model.configuration.rankParts.whole)
            ],
            layers: 0..<2, next: [], previous: .coordinator, contextLength: 256,
            keyValueTokenCapacity: keyValueTokens, maximumStepRowCount: 16)
    }

    @Test func `a stage that was reset answers as a new one does`() throws {
        try TinyLlama().builder().withFile { path in
            let stage = try loader.load(try assignment(path), .alone)
            let step = Step(
                id: StepID(1),
                slices: [
                    SequenceSlice(
                        sequence: SequenceID(5), startPosition: 0, tokens: [3, 1, 4, 1, 5],
                        output: .sample(SamplingParameters(temperature: 0), promptLength: 5))
                ], released: [])
            let first = try stage.run(step)
            #expect(stage.keyValueTokenCount == 5)
            try stage.reset(joining: .alone)
            #expect(stage.keyValueTokenCount == 0)
            #expect(try stage.run(step) == first)
        }
    }

    @Test func `shares that do not make up the stage are refused`() throws {
        try TinyLlama().builder().withFile { path in
            var wanted = try assignment(path)
            wanted.ranks[0].share.keyValueHeads = 0..<1
            #expect(throws: StageError.self) { _ = try loader.load(wanted, .alone) }
        }
    }

    @Test func `weights that are made ternary count in the two bits that they are kept in`() throws {
        var tiny = TinyCheckpoint()
        tiny.weights = .online(type: "F32")
        let folder = try tiny.write()
        var loader = loader
        // More than 240 KB in the file, 15 KB in memory, and 131 KB of KV cache in float32.
        loader.availableByteCount = { 200_000 }
        let wanted = try assignment(folder.path, keyValueTokens: 256)
        let stage = try loader.load(wanted, .alone)
        #expect(stage.weightsByteCount < 50_000)
        loader.availableByteCount = { 131_000 }
        #expect(throws: StageError.self) { _ = try loader.load(wanted, .alone) }
        withExtendedLifetime(folder) {}
    }

    @Test func `KV cache beyond the memory that is free is refused before it is taken`() throws {
        try TinyLlama().builder().withFile { path in
            var loader = loader
            loader.availableByteCount = { 64 << 30 }
            // 512 bytes for each token and layer: 2^28 tokens take 128 GiB.
            var wanted = try assignment(path, keyValueTokens: 1 << 28)
            wanted.contextLength = 256
            let error = #expect(throws: StageError.self) { _ = try loader.load(wanted, .alone) }
            #expect(error?.message.contains("need 0.0 GiB for weights and ") == true)
            #expect(error?.message.contains("tokens of KV cache, but 64.0 GiB of memory are free") == true)
            #expect(error?.isRetryable == true)
            loader.availableByteCount = { 1000 }
            #expect(throws: StageError.self) { _ = try loader.load(try assignment(path), .alone) }
            // What is not known refuses nothing.
            loader.availableByteCount = { 0 }
            #expect(throws: Never.self) { _ = try loader.load(try assignment(path), .alone) }
        }
    }

    @Test
    func `weights come from this machine, from the cache and the coordinator, or not at all, as the worker is told`()
        throws
    {
        let home = try TemporaryFolder()
        let file = try TinyLlama().builder().write()
        var wanted = try assignment(file.path)
        let step = Step(
            id: StepID(1),
            slices: [
                SequenceSlice(
                    sequence: SequenceID(5), startPosition: 0, tokens: [3, 1, 4, 1, 5],
                    output: .sample(SamplingParameters(temperature: 0), promptLength: 5))
            ], released: [])
        let expected = try loader.load(wanted, .alone).run(step)
        let server = try ServedModel(ModelFile(path: file.path))
        defer { server.stop() }
        let fetched = Count()
        var supply = try server.supply(for: nodeID("w"))
        supply.noteFetched = { byteCount, _ in fetched.add(byteCount) }
        var loader = loader
        loader.shardCache = ShardCache(folder: home.path)
        // A copy where the coordinator has its own.
        #expect(try loader.load(wanted, .alone, supply).run(step) == expected && fetched.value == 0)

        wanted.modelFile.path = "/nonexistent/tiny.gguf"
        loader.weightsOrigin = .local
        let missing = #expect(throws: StageError.self) { _ = try loader.load(wanted, .alone, supply) }
        #expect(missing?.message.hasPrefix("no model file at /nonexistent/tiny.gguf or ") == true)
        loader.weightsOrigin = .fetched
        let unserved = #expect(throws: StageError.self) { _ = try loader.load(wanted, .alone, nil) }
        #expect(unserved?.message.contains("nobody serves weights") == true && unserved?.isRetryable == true)
        loader.availableByteCount = { 1000 }
        #expect(throws: StageError.self) { _ = try loader.load(wanted, .alone, supply) }
        loader.availableByteCount = { 0 }

        // Another model where the coordinator has its own.
        var other = TinyLlama()
        other.seed = 2
        other.vocabularySize = 320
        let wrong = try other.builder().write()
        wanted.modelFile.path = wrong.path
        loader.weightsOrigin = .automatic
        #expect(try loader.load(wanted, .alone, supply).run(step) == expected)
        #expect(fetched.value > 0)
        withExtendedLifetime((file, wrong)) {}
    }
}

/// A server of weights on a thread of its own.
private final class ServedModel {
    private let server: WeightsServer
    private let endpoint: String

    init(_ model: ModelFile) throws {
        let server = try WeightsServer(
            node: .coordinator, clusterID: "test", shelf: WeightsShelf(model, manifestFolder: nil), logger: quiet)
        let bound = Bound()
        _ = try OwnedThread.start(name: "weights") {
            server.run(binding: "tcp://127.0.0.1:0", advertisedHost: nil, security: nil, started: bound.give)
        }
        self.server = server
        endpoint = try #require(bound.take()).get()
    }

    func supply(for node: NodeID) -> WeightsSupply {
        WeightsSupply(
            source: Peer(node: .coordinator, dataEndpoint: endpoint), node: node, clusterID: "test", epoch: Epoch(1))
    }

    func stop() { server.stop() }

    private final class Bound: Sendable {
        private let result = Mutex<Result<String, ZeroMQError>?>(nil)
        private let given = DispatchSemaphore(value: 0)

        func give(_ result: Result<String, ZeroMQError>) {
            self.result.withLock { $0 = result }
            given.signal()
        }

        func take() -> Result<String, ZeroMQError>? {
            given.wait(timeout: .now() + 20) == .success ? result.withLock { $0 } : nil
        }
    }
}

private final class Count: Sendable {
    private let sum = Mutex(0)

    var value: Int { sum.withLock { $0 } }

    func add(_ count: Int) { sum.withLock { $0 += count } }
}
