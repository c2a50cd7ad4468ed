import Checkpoints
import Inference
import Kernels
import TestSupport
import Testing
import Transport
import WorkerRuntime

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
}
