public import Transport

/// Makes valid envelopes of every kind, the same for the same seed.
public struct RandomEnvelope: Sendable {
    public static let kindCount = 22
    private var generator: SplitMix64

    public init(seed: UInt64) { generator = SplitMix64(seed: seed) }

    public mutating func envelope(kind: Int) -> Envelope {
        let body: Envelope.Body
        switch kind {
        case 0: body = .hello(hello())
        case 1: body = .heartbeat(heartbeat())
        case 2:
            body = .ready(StageReady(weightsByteCount: any(), keyValueTokenCapacity: int(0...1 << 32)))
        case 3:
            let kinds: [WorkerFailure.Kind] = [.loading, .step(StepID(id())), .exchange(StepID(id()), with: node())]
            body = .failure(
                WorkerFailure(
                    kind: kinds[int(0...2)], message: text(), isRetryable: Bool.random(using: &generator)))
        case 4: body = .leave(Leave(reason: text()))
        case 5:
            body = .welcome(
                Welcome(
                    heartbeatInterval: .nanoseconds(Int64(int(10_000_000...3_600_000_000_000))),
                    dataEndpoint: endpoint(), weightsEndpoint: ["", endpoint()][int(0...1)]))
        case 6: body = .heartbeatReply(HeartbeatReply(number: id()))
        case 7: body = .assignment(assignment())
        case 8: body = .refusal(Refusal(reason: text()))
        case 9: body = .step(step())
        case 10: body = .stepResult(stepResult())
        case 11: body = .measurementOrder(order())
        case 12: body = .measurementReport(report())
        case 13:
            let kinds = LinkProbe.Kind.allCases
            body = .linkProbe(
                LinkProbe(
                    order: id(), kind: kinds[int(0...kinds.count - 1)], round: UInt32(truncatingIfNeeded: id())))
        case 14: body = .keyring(keyring())
        case 15: body = .release
        case 16: body = .standby(assignment())
        case 17: body = .weightsRequest(weightsRequest())
        case 18: body = .weightsReply(weightsReply())
        case 19:
            body = .weightsOffer(
                WeightsOffer(
                    endpoint: ["", endpoint()][int(0...1)], headerDigest: [[], digest()][int(0...1)],
                    heldByteCount: any()))
        case 20: body = .weightsSources(WeightsSources(peers: (0..<int(0...WeightsSources.limit)).map { peer($0) }))
        default: body = .exchange(Exchange(step: StepID(id()), round: UInt32(truncatingIfNeeded: id())))
        }
        return Envelope(clusterID: "c" + text(upTo: 20), epoch: Epoch(id()), sender: node(), body: body)
    }

    private mutating func weightsRequest() -> WeightsRequest {
        let items: [WeightsRequest.Item] = [
            .content(headerDigest: digest()), .manifest(content: digest()), .holdings(content: digest()),
            .chunk(WeightsChunk(content: digest(), file: int(0...2047), index: int(0...(1 << 24) - 1))),
        ]
        return WeightsRequest(number: id(), item: items[int(0...items.count - 1)])
    }

    private mutating func weightsReply() -> WeightsReply {
        let results: [WeightsReply.Result] = [
            .content(digest()), .bytes, .hashing(loadingProgress()), .problem(text()),
        ]
        return WeightsReply(number: id(), result: results[int(0...3)])
    }

    private mutating func loadingProgress() -> LoadingProgress {
        let byteCount = id()
        return LoadingProgress(doneByteCount: [0, byteCount / 2, byteCount][int(0...2)], byteCount: byteCount)
    }

    private mutating func keyring() -> Keyring {
        let digits = Array("0123456789abcXYZ.-:+=^!/*?&<>()[]{}@%$#")
        return Keyring(
            keys: (0..<int(0...5)).compactMap { _ in
                let text = String((0..<40).map { _ in digits[int(0...digits.count - 1)] })
                return PublicKey(text).map { NodeKey(node: node(), publicKey: $0) }
            })
    }

    private mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    private mutating func any() -> UInt64 { generator.next() }
    /// Ids at both ends of their range as well, since small ones take a different form on the wire.
    private mutating func id() -> UInt64 { [0, 1, .max, any(), any() % 1000][int(0...4)] }
    private mutating func token() -> Int32 { [0, Int32.max, Int32(int(0...50_000))][int(0...2)] }
    private mutating func tokens(_ count: Int) -> [Int32] { (0..<count).map { _ in token() } }

    private mutating func text(upTo limit: Int = 40) -> String {
        let alphabet = Array("abc äöü日本🙂 /:.-")
        return String((0..<int(0...limit / 4)).map { _ in alphabet[int(0...alphabet.count - 1)] })
    }

    private mutating func node() -> NodeID {
        let alphabet = Array("abcXYZ019._-")
        return NodeID(String((0..<int(1...64)).map { _ in alphabet[int(0...alphabet.count - 1)] })) ?? .coordinator
    }

    private mutating func endpoint() -> String { "tcp://192.168.\(int(0...255)).\(int(1...254)):\(int(1...65535))" }

    private mutating func hostID() -> String {
        let alphabet = Array("0123456789abcdef-/ ")
        return String((0..<int(0...128)).map { _ in alphabet[int(0...alphabet.count - 1)] })
    }

    /// A peer whose name no other one has.
    private mutating func peer(_ number: Int) -> Peer {
        let name = "\(number)-\(node().name.prefix(50))"
        return Peer(node: NodeID(name) ?? .coordinator, dataEndpoint: endpoint(), hostID: hostID())
    }

    private mutating func order() -> MeasurementOrder {
        let tasks: [MeasurementOrder.Task] = [.node, .link(peer(1)), .answering(peer(2))]
        return MeasurementOrder(number: id(), task: tasks[int(0...2)])
    }

    private mutating func rate() -> Double { Double.random(in: 1...1e18, using: &generator) }
    private mutating func seconds() -> Double { [0, 3600, Double.random(in: 0...1, using: &generator)][int(0...2)] }
    private mutating func kernelRates() -> KernelRates {
        KernelRates(bytesPerSecond: rate(), multiplyAddsPerSecond: rate())
    }

    private mutating func link() -> LinkMeasurement {
        let trips = (0..<int(1...16)).map { _ in
            LinkMeasurement.RoundTrip(byteCount: int(0...1 << 30), seconds: seconds())
        }
        return LinkMeasurement(roundTrips: trips, bandwidthBytesPerSecond: rate(), messageSeconds: seconds())
    }

    private mutating func report() -> MeasurementReport {
        let rates = NodeRates(
            ternary: kernelRates(), other: kernelRates(), attention: kernelRates(), ternaryBitsPerWeight: 1.6,
            taskSeconds: seconds(), layerSeconds: seconds(), hostBytesPerSecond: rate(), hostCoreCount: int(1...4096),
            memoryFreeByteCount: any())
        let link = MeasuredLink(
            sockets: self.link(), memory: Bool.random(using: &generator) ? self.link() : nil)
        let results: [MeasurementReport.Result] = [.node(rates), .link(link, to: node()), .answering, .problem(text())]
        return MeasurementReport(number: id(), result: results[int(0...3)])
    }

    private mutating func digest() -> [UInt8] { (0..<32).map { _ in UInt8(truncatingIfNeeded: any()) } }

    private mutating func hello() -> Hello {
        Hello(
            incarnation: any(), processID: Int32(truncatingIfNeeded: any()), hostName: text(), hostID: hostID(),
            cpuModel: text(),
            instructionSet: text(), threadCount: int(0...4096), memoryByteCount: any(), memoryFreeByteCount: any(),
            dataEndpoint: endpoint())
    }

    private mutating func heartbeat() -> Heartbeat {
        Heartbeat(
            number: id(), memoryUsedByteCount: any(), memoryFreeByteCount: any(), keyValueTokenCount: int(0...1 << 32),
            keyValueTokenCapacity: int(0...1 << 32), computedTokenCount: any(), droppedFrameCount: any(),
            roundTrip: [nil, .zero, .nanoseconds(Int64(int(0...86_400_000_000_000)))][int(0...2)],
            fetchedByteCount: any(), fetchedFromWorkersByteCount: any(), loading: [nil, loadingProgress()][int(0...1)])
    }

    private mutating func assignment() -> StageAssignment {
        let stageCount = int(1...30)
        let stage = int(0...stageCount - 1)
        let isLast = stage == stageCount - 1
        let ranks = ranks()
        let rank = int(0...ranks.count - 1)
        let firstLayer = int(0...4000)
        return StageAssignment(
            modelFile: ModelFileReference(path: "/" + text(), byteCount: any(), headerDigest: digest()), stage: stage,
            stageCount: stageCount, rank: rank, ranks: ranks, layers: firstLayer..<firstLayer + int(1...96),
            next: isLast ? [] : (0..<int((rank == 0 ? 1 : 0)...5)).map { peer(100 + $0) },
            previous: stage == 0 ? .coordinator : peer(200).node,
            contextLength: int(1...1 << 24), keyValueTokenCapacity: int(1...1 << 32),
            maximumStepRowCount: int(1...65536),
            headPrecision: HeadPrecision.allCases[int(0...HeadPrecision.allCases.count - 1)],
            activationGrid: ActivationGrid.allCases[int(0...1)])
    }

    /// Neighbouring shares from the first part on.
    private mutating func ranks() -> [StageRank] {
        var share = RankShare(keyValueHeads: 0..<0, feedForwardBlocks: 0..<0, vocabularyChunks: 0..<0)
        return (0..<[1, 2, int(1...64)][int(0...2)]).map { number in
            share = RankShare(
                keyValueHeads: after(share.keyValueHeads, minimum: 1),
                feedForwardBlocks: after(share.feedForwardBlocks, minimum: 1),
                vocabularyChunks: after(share.vocabularyChunks, minimum: 0))
            return StageRank(peer: peer(number), share: share)
        }
    }

    private mutating func after(_ range: Range<Int>, minimum: Int) -> Range<Int> {
        range.upperBound..<range.upperBound + int(minimum...(1 << 20) / 64)
    }

    private mutating func step() -> Step {
        let first = any() % 1_000_000
        let slices = (0..<int(0...6)).map { index in
            let tokens = tokens(int(1...20))
            var slice = SequenceSlice(
                sequence: SequenceID(first + UInt64(index)), startPosition: int(0...1 << 24), tokens: tokens,
                output: output(tokenCount: tokens.count))
            if case .score = slice.output { return slice }
            slice.rewinds = slice.startPosition > 0 && int(0...1) == 1
            return slice
        }
        return Step(id: StepID(id()), slices: slices, released: (0..<int(0...5)).map { _ in SequenceID(id()) })
    }

    private mutating func output(tokenCount: Int) -> SliceOutput {
        switch int(0...2) {
        case 0: .none
        case 1: .sample(samplingParameters(), promptLength: int(0...1 << 24))
        default: .score(targets: tokens(int(tokenCount - 1...tokenCount)), topCount: int(0...128))
        }
    }

    private mutating func samplingParameters() -> SamplingParameters {
        let first = int(0...1000)
        return SamplingParameters(
            temperature: .random(in: 0...100, using: &generator), topK: int(0...Int(Int32.max)),
            topP: .random(in: 0.001...1, using: &generator), minP: .random(in: 0...1, using: &generator),
            repetitionPenalty: .random(in: 0.01...10, using: &generator),
            frequencyPenalty: .random(in: -2...2, using: &generator),
            presencePenalty: .random(in: -2...2, using: &generator),
            logitBias: (0..<int(0...10)).map {
                LogitBias(token: Int32(first + 3 * $0), bias: .random(in: -100...100, using: &generator))
            },
            seed: id(), topLogProbabilityCount: [nil, 0, 20, int(0...20)][int(0...3)])
    }

    private mutating func stepResult() -> StepResult {
        StepResult(
            id: StepID(id()),
            slices: (0..<int(0...6)).map { _ in
                let output: SliceResult.Output
                switch int(0...2) {
                case 0: output = .none
                case 1:
                    output = .sampled(
                        TokenChoice(
                            token: token(), logProbability: [nil, 0, -.infinity, logProbability()][int(0...3)],
                            top: top(int(0...20))))
                default:
                    let rowCount = int(0...8)
                    let topCount = int(0...10)
                    output = .scored(
                        SliceScore(
                            targetLogProbabilities: (0..<rowCount).map { _ in logProbability() },
                            top: (0..<rowCount).map { _ in top(topCount) }, logitsDigest: digest()))
                }
                return SliceResult(sequence: SequenceID(id()), output: output)
            })
    }

    private mutating func logProbability() -> Float { .random(in: -50...0, using: &generator) }

    private mutating func top(_ count: Int) -> [TokenLogProbability] {
        (0..<count).map { _ in TokenLogProbability(token: token(), logProbability: logProbability()) }
    }
}
