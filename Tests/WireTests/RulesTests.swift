import Testing
import Transport
import Wire

@Suite struct RulesTests {
    private static let worker = NodeID("worker-1") ?? .coordinator

    private func envelope(_ body: Envelope.Body) -> Envelope {
        Envelope(clusterID: "c", epoch: Epoch(3), sender: Self.worker, body: body)
    }

    private func step(
        _ output: SliceOutput = .none, tokens: [Int32] = [1, 2], startPosition: Int = 0, count: Int = 1,
        released: [SequenceID] = []
    ) -> Envelope {
        let slices = (0..<count).map {
            SequenceSlice(
                sequence: SequenceID(UInt64($0)), startPosition: startPosition, tokens: tokens, output: output)
        }
        return envelope(.step(Step(id: StepID(1), slices: slices, released: released)))
    }

    private func field(_ envelope: Envelope) -> String? {
        do {
            _ = try Wire.encode(envelope)
            return nil
        } catch {
            guard case .invalid(let field, _) = error else { return "\(error)" }
            return field
        }
    }

    @Test func `figures that nobody can have measured are refused by name`() {
        let kernels = KernelRates(bytesPerSecond: 1e9, multiplyAddsPerSecond: 1e9)
        let rates = NodeRates(
            ternary: kernels, other: kernels, attention: kernels, ternaryBitsPerWeight: 2, taskSeconds: 1e-6,
            layerSeconds: 5e-6, hostBytesPerSecond: 1e9,
            hostCoreCount: 2, memoryFreeByteCount: 1)
        func field(_ change: (inout NodeRates) -> Void) -> String? {
            var changed = rates
            change(&changed)
            return self.field(envelope(.measurementReport(MeasurementReport(number: 1, result: .node(changed)))))
        }
        let place = "measurementReport.node"
        #expect(field { _ in } == nil)
        for rate in [0, -1, 0.5, 1e19, .infinity, .nan] {
            #expect(field { $0.ternary.bytesPerSecond = rate } == "\(place).ternary.bytesPerSecond")
            #expect(field { $0.other.multiplyAddsPerSecond = rate } == "\(place).other.multiplyAddsPerSecond")
            #expect(field { $0.hostBytesPerSecond = rate } == "\(place).hostBytesPerSecond")
        }
        for bits in [0, 33, .nan] {
            #expect(field { $0.ternaryBitsPerWeight = bits } == "\(place).ternaryBitsPerWeight")
        }
        for seconds in [-1e-9, 3601, .nan] { #expect(field { $0.taskSeconds = seconds } == "\(place).taskSeconds") }
        #expect(field { $0.hostCoreCount = 0 } == "\(place).hostCoreCount")
    }

    @Test func `links that nobody can have measured are refused by name`() {
        func field(_ trips: [(Int, Double)], bandwidth: Double = 1e9, message: Double = 0) -> String? {
            let link = LinkMeasurement(
                roundTrips: trips.map { LinkMeasurement.RoundTrip(byteCount: $0, seconds: $1) },
                bandwidthBytesPerSecond: bandwidth, messageSeconds: message)
            return self.field(
                envelope(
                    .measurementReport(
                        MeasurementReport(
                            number: 1, result: .link(MeasuredLink(sockets: good, memory: link), to: Self.worker)))))
        }
        let good = LinkMeasurement(latencySeconds: 1, bandwidthBytesPerSecond: 1)
        let place = "measurementReport.link.memory"
        #expect(field([(64, 1e-4)]) == nil)
        #expect(field([]) == "\(place).roundTrips.count")
        #expect(field((0..<17).map { ($0, 1) }) == "\(place).roundTrips.count")
        #expect(field([(-1, 1)]) == "\(place).roundTrips.byteCount")
        #expect(field([(1, .nan)]) == "\(place).roundTrips.seconds")
        #expect(field([(1, 1)], bandwidth: 0) == "\(place).bandwidthBytesPerSecond")
        #expect(field([(1, 1)], message: -.infinity) == "\(place).messageSeconds")
    }

    @Test func `sampling parameters out of range or not a number are refused by name`() {
        let cases: [(WritableKeyPath<SamplingParameters, Float>, [Float], String)] = [
            (\.temperature, [-0.1, 100.5, .nan, .infinity], "temperature"),
            (\.topP, [0, -1, 1.01, .nan], "topP"),
            (\.minP, [-0.01, 1.01, .nan], "minP"),
            (\.repetitionPenalty, [0, -1, .infinity, .nan], "repetitionPenalty"),
            (\.frequencyPenalty, [.infinity, -.infinity, .nan], "frequencyPenalty"),
            (\.presencePenalty, [.infinity, .nan], "presencePenalty"),
        ]
        for (path, values, name) in cases {
            for value in values {
                var parameters = SamplingParameters()
                parameters[keyPath: path] = value
                #expect(field(step(.sample(parameters, promptLength: 1))) == "step.slices[0].sample.\(name)")
            }
        }
        var parameters = SamplingParameters(topK: -1)
        #expect(field(step(.sample(parameters, promptLength: 1))) == "step.slices[0].sample.topK")
        parameters = SamplingParameters(topLogProbabilityCount: 21)
        #expect(
            field(step(.sample(parameters, promptLength: 1))) == "step.slices[0].sample.topLogProbabilityCount")
        for biases in [[(5, 1), (5, 1)], [(-1, 1)], [(1, Float.nan)]] as [[(Int32, Float)]] {
            parameters = SamplingParameters(logitBias: biases.map { LogitBias(token: $0, bias: $1) })
            #expect(field(step(.sample(parameters, promptLength: 1))) == "step.slices[0].sample.logitBias")
        }
        parameters.logitBias = (0...1024).map { LogitBias(token: $0, bias: 0) }
        #expect(field(step(.sample(parameters, promptLength: 1))) == "step.slices[0].sample.logitBias")
    }

    @Test func `slices that make no sense are refused by name`() {
        #expect(field(step()) == nil)
        #expect(field(step(tokens: [])) == "step.slices[0].tokens")
        #expect(field(step(tokens: [1, -1])) == "step.slices[0].tokens")
        #expect(field(step(startPosition: -1)) == "step.slices[0].startPosition")
        #expect(field(step(count: 1025)) == "step.slices")
        #expect(field(step(tokens: Array(repeating: 1, count: 1024), count: 65)) == "step.slices[].tokens")
        #expect(field(step(.score(targets: [], topCount: 1))) == "step.slices[0].targets.count")
        #expect(field(step(.score(targets: [1, 2, 3], topCount: 1))) == "step.slices[0].targets.count")
        #expect(field(step(.score(targets: [1], topCount: 129))) == "step.slices[0].topCount")
        #expect(field(step(.sample(SamplingParameters(), promptLength: -1))) == "step.slices[0].promptLength")
        #expect(field(step(released: Array(repeating: SequenceID(1), count: 4097))) == "step.released")
        let slice = SequenceSlice(sequence: SequenceID(7), startPosition: 0, tokens: [1], output: .none)
        #expect(
            field(envelope(.step(Step(id: StepID(1), slices: [slice, slice])))) == "step.slices[1].sequence")
        func rewinding(from position: Int, _ output: SliceOutput) -> String? {
            let slice = SequenceSlice(
                sequence: SequenceID(7), startPosition: position, tokens: [1], output: output, rewinds: true)
            return field(envelope(.step(Step(id: StepID(1), slices: [slice]))))
        }
        #expect(rewinding(from: 1, .none) == nil)
        #expect(rewinding(from: 0, .none) == "step.slices[0].rewinds")
        #expect(rewinding(from: 1, .score(targets: [], topCount: 0)) == "step.slices[0].rewinds")
    }

    @Test func `results that are not numbers or not rectangular are refused by name`() {
        func result(_ output: SliceResult.Output) -> String? {
            let slices = [SliceResult(sequence: SequenceID(1), output: output)]
            return field(envelope(.stepResult(StepResult(id: StepID(1), slices: slices))))
        }
        let digest = [UInt8](repeating: 1, count: 32)
        let entry = TokenLogProbability(token: 1, logProbability: -1)
        #expect(
            result(.sampled(TokenChoice(token: 1, logProbability: .nan)))
                == "stepResult.slices[0].sampled.logProbability")
        #expect(result(.sampled(TokenChoice(token: -1))) == "stepResult.slices[0].sampled.token")
        #expect(
            result(.sampled(TokenChoice(token: 1, top: Array(repeating: entry, count: 21))))
                == "stepResult.slices[0].sampled.top")
        #expect(
            result(.scored(SliceScore(targetLogProbabilities: [], top: [[entry], []], logitsDigest: digest)))
                == "stepResult.slices[0].scored.top")
        #expect(
            result(.scored(SliceScore(targetLogProbabilities: [.infinity], top: [], logitsDigest: digest)))
                == "stepResult.slices[0].scored.targetLogProbabilities")
        #expect(
            result(.scored(SliceScore(targetLogProbabilities: [], top: [], logitsDigest: [])))
                == "stepResult.slices[0].scored.logitsDigest")
    }

    @Test func `texts are bounded and free of NUL`() {
        #expect(field(envelope(.leave(Leave(reason: String(repeating: "ä", count: 2049))))) == "leave.reason")
        #expect(field(envelope(.leave(Leave(reason: "a\0b")))) == "leave.reason")
        let nameless = Envelope(clusterID: "", epoch: Epoch(1), sender: Self.worker, body: .leave(Leave(reason: "")))
        #expect(field(nameless) == "clusterID")
        var hello = Hello(
            incarnation: 1, processID: 1, hostName: "", hostID: String(repeating: "x", count: 128), cpuModel: "",
            instructionSet: "", threadCount: 1, memoryByteCount: 0, memoryFreeByteCount: 0, dataEndpoint: "tcp://a:1")
        #expect(field(envelope(.hello(hello))) == nil)
        for hostID in [String(repeating: "x", count: 129), "a\u{1b}", "ä", "a\n"] {
            hello.hostID = hostID
            #expect(field(envelope(.hello(hello))) == "hello.hostID")
        }
        let welcome = Welcome(heartbeatInterval: .milliseconds(9), dataEndpoint: "tcp://a:1")
        #expect(field(envelope(.welcome(welcome))) == "welcome.heartbeatInterval")
    }
}
