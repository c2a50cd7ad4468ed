import Checkpoints
import Dispatch
import Foundation
import Kernels
import Logging
import Synchronization
import TestSupport
import Testing
import Transport
import ZeroMQ

@testable import WeightTransfer

/// Servers and fetches in this process, over loopback.
@Suite(.serialized, .timeLimit(.minutes(10))) struct WeightsFetchTests {
    private let home: TemporaryFolder
    private let cache: ShardCache

    init() throws {
        home = try TemporaryFolder()
        cache = ShardCache(folder: home.path + "/shards")
    }

    /// A model of some eight chunks.
    static func makeModel() throws -> TemporaryFile {
        var tiny = TinyLlama()
        tiny.hiddenSize = 256
        tiny.feedForwardSize = 1024
        tiny.vocabularySize = 2000
        tiny.embeddingType = .f32
        tiny.weightType = .f32
        return try tiny.builder().write()
    }

    static func reference(_ model: ModelFile) -> ModelFileReference {
        ModelFileReference(
            path: model.path, byteCount: UInt64(model.byteCount), headerDigest: model.headerDigest)
    }

    static func everything(_ model: ModelFile) -> [ModelByteRange] {
        model.parts.map { ModelByteRange(file: $0.file, bytes: 0..<$0.file.byteCount) }
    }

    private func supply(_ server: RunningServer) throws -> WeightsSupply {
        WeightsSupply(
            source: Peer(node: .coordinator, dataEndpoint: server.endpoint), node: try #require(NodeID("worker-1")),
            clusterID: "test", epoch: Epoch(3))
    }

    @Test func `what is needed comes, and the second time nothing does`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let progress = Shared<[LoadingProgress]>([])
        let counted = Shared(0)
        var supply = try supply(server)
        supply.report = { step in progress.change { $0.append(step) } }
        supply.noteFetched = { byteCount, _ in counted.change { $0 += byteCount } }
        let fetched = try WeightsFetch(supply, cache: cache).model(Self.reference(model), needs: Self.everything)
        #expect(fetched.fetchedByteCount == model.byteCount && fetched.neededByteCount == model.byteCount)
        #expect(counted.value == model.byteCount)
        #expect(
            fetched.model.parts[0].file.bytes(in: 0..<model.byteCount)
                == model.parts[0].file.bytes(
                    in: 0..<model.byteCount))
        let last = LoadingProgress(doneByteCount: UInt64(model.byteCount), byteCount: UInt64(model.byteCount))
        #expect(progress.value.last == last)
        #expect(model.byteCount > 6 * ShardManifest.chunkByteCount)

        let again = try WeightsFetch(supply, cache: cache).model(Self.reference(model), needs: Self.everything)
        #expect(again.fetchedByteCount == 0 && again.neededByteCount == model.byteCount)
        #expect(counted.value == model.byteCount)
    }

    @Test func `only the chunks of what is needed come`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let fetched = try WeightsFetch(supply(server), cache: cache).model(Self.reference(model)) { model in
            [ModelByteRange(file: model.layers[1].down.file, bytes: model.layers[1].down.byteRange)]
        }
        // 1 MiB of weights in two chunks at most, and the header.
        #expect(fetched.fetchedByteCount <= 3 * ShardManifest.chunkByteCount)
        let range = model.layers[1].down.byteRange
        #expect(fetched.model.parts[0].file.bytes(in: range) == model.parts[0].file.bytes(in: range))
    }

    @Test func `a fetch that was cut off goes on where it was`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let counted = Shared(0)
        var supply = try supply(server)
        supply.noteFetched = { byteCount, _ in counted.change { $0 += byteCount } }
        supply.isAbandoned = { counted.value >= 3 * ShardManifest.chunkByteCount }
        #expect(throws: WeightsError.abandoned) {
            _ = try WeightsFetch(supply, cache: cache).model(Self.reference(model), needs: Self.everything)
        }
        let first = counted.value
        #expect(first >= 3 * ShardManifest.chunkByteCount && first < model.byteCount)
        supply.isAbandoned = { false }
        let fetched = try WeightsFetch(supply, cache: cache).model(Self.reference(model), needs: Self.everything)
        #expect(fetched.fetchedByteCount == model.byteCount - first)
    }

    @Test func `a flipped bit on the disk is found, and its chunk alone is fetched anew`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let supply = try supply(server)
        let path: String
        do {
            let fetch = try WeightsFetch(supply, cache: cache)
            path = try fetch.model(Self.reference(model), needs: Self.everything).entry.modelPath
        }
        let place = 2 * ShardManifest.chunkByteCount + 17
        let right = try #require(model.parts[0].file.integer(at: place, as: UInt8.self))
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: UInt64(place))
        try handle.write(contentsOf: [right ^ 8])
        let fetched = try WeightsFetch(supply, cache: cache).model(Self.reference(model), needs: Self.everything)
        #expect(fetched.fetchedByteCount == ShardManifest.chunkByteCount)
        #expect(fetched.model.parts[0].file.integer(at: place, as: UInt8.self) == right)
    }

    @Test func `a source that goes away and comes back is asked again`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let first = try RunningServer(model)
        let second = Shared<RunningServer?>(nil)
        var supply = try supply(first)
        var patience = WeightsPatience()
        (patience.firstSilence, patience.pause) = (.milliseconds(300), .milliseconds(50))
        patience.openRequestLimit = 1
        let endpoint = first.endpoint
        supply.noteFetched = { _, _ in
            // In the middle, the server ends, and another one takes its port.
            second.change { second in
                guard second == nil else { return }
                first.stop()
                // libzmq closes sockets behind the scenes, so the port is free a little later.
                for _ in 0..<1000 where second == nil {
                    second = try? RunningServer(model, endpoint: endpoint)
                    if second == nil { Thread.sleep(forTimeInterval: 0.01) }
                }
            }
        }
        let fetched = try WeightsFetch(supply, cache: cache, patience: patience)
            .model(Self.reference(model), needs: Self.everything)
        #expect(second.value != nil)
        #expect(fetched.fetchedByteCount == model.byteCount)
        second.change { $0 = nil }
    }

    @Test func `a source that is not there is given up, with its address`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let supply = try supply(server)
        server.stop()
        var patience = WeightsPatience()
        (patience.pause, patience.firstSilence) = (.milliseconds(20), .milliseconds(50))
        patience.longestStandstill = .seconds(1)
        let error = #expect(throws: WeightsError.self) {
            _ = try WeightsFetch(supply, cache: cache, patience: patience)
                .model(Self.reference(model), needs: Self.everything)
        }
        #expect(error == .silent(supply.source, seconds: 1) && error?.isRetryable == true)
        #expect(error?.description.contains(server.endpoint) == true)
    }

    @Test func `a source with another model says so`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        var reference = Self.reference(model)
        reference.headerDigest[0] ^= 1
        let error = #expect(throws: WeightsError.self) {
            _ = try WeightsFetch(supply(server), cache: cache).model(reference, needs: Self.everything)
        }
        guard case .refused(_, let problem)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(problem.contains("another model"))
    }

    @Test func `a file that changes after it was hashed is noticed`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let supply = try supply(server)
        _ = try WeightsFetch(supply, cache: cache).model(Self.reference(model)) { _ in [] }
        let handle = try #require(FileHandle(forUpdatingAtPath: file.path))
        let place = model.byteCount - 3
        try handle.seek(toOffset: UInt64(place))
        try handle.write(contentsOf: [try #require(model.parts[0].file.integer(at: place, as: UInt8.self)) ^ 1])
        #expect(throws: WeightsError.wrongBytes(supply.source, file: model.parts[0].name)) {
            _ = try WeightsFetch(supply, cache: cache).model(Self.reference(model), needs: Self.everything)
        }
    }

    @Test func `a cache that is too small says so before anything comes`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let small = ShardCache(folder: home.path + "/small", limitByteCount: 2 << 20)
        let counted = Shared(0)
        var supply = try supply(server)
        supply.noteFetched = { byteCount, _ in counted.change { $0 += byteCount } }
        let error = #expect(throws: WeightsError.self) {
            _ = try WeightsFetch(supply, cache: small).model(Self.reference(model), needs: Self.everything)
        }
        #expect(error?.description.contains("--cache-size") == true)
        #expect(counted.value <= ShardManifest.chunkByteCount)
    }

    @Test func `who has no use for the model gets no weights of it`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let counted = Shared(0)
        var supply = try supply(server)
        supply.noteFetched = { byteCount, _ in counted.change { $0 += byteCount } }
        let refusal = WeightsError.unfit(problem: "too little memory", isRetryable: true)
        #expect(throws: refusal) {
            _ = try WeightsFetch(supply, cache: cache).model(Self.reference(model)) { _ throws(WeightsError) in
                throw refusal
            }
        }
        #expect(counted.value == ShardManifest.chunkByteCount)
    }

    @Test func `a server that was started anew finds out what it has before it answers`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let server = try RunningServer(model)
        let known = try WeightsFetch(supply(server), cache: cache).model(Self.reference(model)) { _ in [] }
        let other = try RunningServer(model)
        let requests = try WeightsRequests(supply(other), patience: WeightsPatience())
        let received = Shared<[UInt8]>([])
        try requests.run([.chunk(WeightsChunk(content: known.entry.content, file: 0, index: 1))]) { _, _, payload, _ in
            received.change { $0 = payload?.bytes ?? [] }
            return .taken
        }
        #expect(
            received.value == model.parts[0].file.bytes(in: known.entry.manifest.byteRange(file: 0, chunk: 1)))
    }

    @Test func `a folder of several files comes with all of them`() throws {
        let model = try ModelFile(path: Fixtures.ryzTinyPath)
        let server = try RunningServer(model)
        let fetched = try WeightsFetch(supply(server), cache: cache)
            .model(Self.reference(model), needs: Self.everything)
        for (part, copy) in zip(model.parts, fetched.model.parts) {
            #expect(part.name == copy.name)
            #expect(part.file.bytes(in: 0..<part.file.byteCount) == copy.file.bytes(in: 0..<part.file.byteCount))
        }
    }

    @Test func `with keys, only who is known gets anything`() throws {
        let file = try Self.makeModel()
        let model = try ModelFile(path: file.path)
        let (own, known, stranger) = try (KeyPair.random(), KeyPair.random(), KeyPair.random())
        let worker = try #require(NodeID("worker-1"))
        let server = try RunningServer(
            model,
            security: NodeSecurity(keys: own, allowed: [NodeKey(node: worker, publicKey: known.publicKey)]))
        var patience = WeightsPatience()
        patience.longestStandstill = .seconds(2)
        func fetch(_ keys: KeyPair?) throws -> FetchedModel {
            var supply = try supply(server)
            supply.security = try keys.map {
                try NodeSecurity(keys: $0, allowed: [NodeKey(node: .coordinator, publicKey: own.publicKey)])
            }
            return try WeightsFetch(supply, cache: cache, patience: patience)
                .model(Self.reference(model)) { _ in [] }
        }
        for keys in [stranger, nil] { #expect(throws: WeightsError.self) { _ = try fetch(keys) } }
        #expect(try fetch(known).fetchedByteCount > 0)
    }
}
