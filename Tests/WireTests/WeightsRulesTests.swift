import Testing
import Transport
import Wire

@Suite struct WeightsRulesTests {
    private static let worker = NodeID("worker-1") ?? .coordinator
    private static let digest = [UInt8](repeating: 3, count: 32)

    private func field(_ body: Envelope.Body) -> String? {
        do {
            _ = try Wire.encode(Envelope(clusterID: "c", epoch: Epoch(3), sender: Self.worker, body: body))
            return nil
        } catch {
            guard case .invalid(let field, _) = error else { return "\(error)" }
            return field
        }
    }

    private func request(_ item: WeightsRequest.Item) -> String? {
        field(.weightsRequest(WeightsRequest(number: 1, item: item)))
    }

    private func reply(_ result: WeightsReply.Result) -> String? {
        field(.weightsReply(WeightsReply(number: 1, result: result)))
    }

    @Test func `digests have 32 bytes`() {
        for digest in [[], [UInt8](repeating: 1, count: 31), [UInt8](repeating: 1, count: 33)] {
            #expect(request(.content(headerDigest: digest)) == "weightsRequest.contentOfHeader")
            #expect(request(.manifest(content: digest)) == "weightsRequest.manifest")
            #expect(request(.holdings(content: digest)) == "weightsRequest.holdings")
            let chunk = WeightsChunk(content: digest, file: 0, index: 0)
            #expect(request(.chunk(chunk)) == "weightsRequest.chunk.content")
            #expect(reply(.content(digest)) == "weightsReply.content")
        }
        #expect(request(.content(headerDigest: Self.digest)) == nil && reply(.content(Self.digest)) == nil)
    }

    @Test func `chunks are those that a manifest can have`() {
        func chunk(_ file: Int, _ index: Int) -> String? {
            request(.chunk(WeightsChunk(content: Self.digest, file: file, index: index)))
        }
        #expect(chunk(0, 0) == nil && chunk(2047, 1 << 24 - 1) == nil)
        for file in [-1, 2048, .max] { #expect(chunk(file, 0) == "weightsRequest.chunk.file") }
        for index in [-1, 1 << 24, .max] { #expect(chunk(0, index) == "weightsRequest.chunk.index") }
    }

    @Test func `offers name a model by its digest, and sources are few`() throws {
        func offer(_ endpoint: String, _ digest: [UInt8]) -> String? {
            field(.weightsOffer(WeightsOffer(endpoint: endpoint, headerDigest: digest, heldByteCount: 1)))
        }
        #expect(offer("", []) == nil && offer("tcp://a:1", Self.digest) == nil)
        #expect(offer(String(repeating: "x", count: 257), []) == "weightsOffer.endpoint")
        #expect(offer("", [1, 2]) == "weightsOffer.headerDigest")
        func sources(_ count: Int, _ endpoint: String = "tcp://a:1") -> String? {
            let peer = Peer(node: Self.worker, dataEndpoint: endpoint)
            return field(.weightsSources(WeightsSources(peers: Array(repeating: peer, count: count))))
        }
        #expect(sources(0) == nil && sources(WeightsSources.limit) == nil)
        #expect(sources(WeightsSources.limit + 1) == "weightsSources.peers")
        #expect(sources(1, "") == "weightsSources.peers[0].dataEndpoint")
    }

    @Test func `nobody has done more than there is, and problems are bounded`() {
        let whole = LoadingProgress(doneByteCount: .max, byteCount: .max)
        let more = LoadingProgress(doneByteCount: 8, byteCount: 7)
        #expect(reply(.hashing(whole)) == nil)
        #expect(reply(.hashing(more)) == "weightsReply.hashing.doneByteCount")
        #expect(reply(.problem(String(repeating: "x", count: 4097))) == "weightsReply.problem")
        #expect(reply(.problem("a\0b")) == "weightsReply.problem")
        func heartbeat(_ loading: LoadingProgress) -> String? {
            field(
                .heartbeat(
                    Heartbeat(
                        number: 1, memoryUsedByteCount: 0, memoryFreeByteCount: 0, keyValueTokenCount: 0,
                        keyValueTokenCapacity: 0, computedTokenCount: 0, droppedFrameCount: 0, roundTrip: nil,
                        loading: loading)))
        }
        #expect(heartbeat(whole) == nil)
        #expect(heartbeat(more) == "heartbeat.loading.doneByteCount")
        let endpoint = String(repeating: "x", count: 257)
        let welcome = Welcome(heartbeatInterval: .seconds(1), dataEndpoint: "tcp://a:1", weightsEndpoint: endpoint)
        #expect(field(.welcome(welcome)) == "welcome.weightsEndpoint")
    }
}
