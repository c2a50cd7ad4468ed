import Testing
import Transport

@testable import ClusterCore

/// Workers that answer what a survey orders.
private struct SurveyedCluster {
    var survey = Survey()
    var now = Instant.zero
    /// Orders that were given, in order.
    private(set) var orders: [(node: NodeID, order: MeasurementOrder)] = []
    private(set) var failures: [String] = []
    private(set) var finishedCount = 0
    private(set) var unexpected: [NodeID] = []

    static let kernels = KernelRates(bytesPerSecond: 2e10, multiplyAddsPerSecond: 1e11)
    static let rates = NodeRates(
        ternary: kernels, other: kernels, attention: kernels, ternaryBitsPerWeight: 1.6, taskSeconds: 1e-6,
        layerSeconds: 5e-6, hostBytesPerSecond: 4e10,
        hostCoreCount: 8, memoryFreeByteCount: 1 << 34)

    static func link(_ seconds: Double = 1e-4) -> LinkMeasurement {
        LinkMeasurement(
            roundTrips: [.init(byteCount: 64, seconds: seconds), .init(byteCount: 10240, seconds: 2 * seconds)],
            bandwidthBytesPerSecond: 1e9)
    }

    mutating func handle(_ event: Survey.Event) {
        for effect in survey.handle(event, at: now) {
            switch effect {
            case .order(let node, let order): orders.append((node, order))
            case .failed(let reason): failures.append(reason)
            case .finished: finishedCount += 1
            case .unexpected(let node): unexpected.append(node)
            }
        }
    }

    mutating func join(_ name: String, host: String = "", rates: NodeRates? = SurveyedCluster.rates) throws {
        let node = try #require(NodeID(name))
        let hello = Hello(
            incarnation: 1, processID: 1, hostName: "h", hostID: host, cpuModel: "c", instructionSet: "avx2",
            threadCount: 4, memoryByteCount: 1 << 35, memoryFreeByteCount: 1 << 34, dataEndpoint: "tcp://\(name):1")
        handle(.joined(Peer(node: node, dataEndpoint: hello.dataEndpoint, hostID: host), hello))
        if let rates { handle(.reported(node, MeasurementReport(number: 0, result: .node(rates)))) }
    }

    /// Lets time pass while nothing is computed.
    mutating func idle(_ duration: Duration = Survey.calm) {
        handle(.proceed(.idle))
        now = now.advanced(by: duration)
        handle(.proceed(.idle))
    }

    /// Answers the newest order as workers do.
    mutating func answer(_ link: LinkMeasurement = link(), memory: LinkMeasurement? = nil) {
        guard let (node, order) = orders.last else { return }
        let result: MeasurementReport.Result =
            switch order.task {
            case .node: .node(Self.rates)
            case .answering: .answering
            case .link(let peer): .link(MeasuredLink(sockets: link, memory: memory), to: peer.node)
            }
        handle(.reported(node, MeasurementReport(number: order.number, result: result)))
    }

    /// Answers all orders, as they come.
    mutating func run() {
        for _ in 0..<10_000 where survey.pendingCount > 0 {
            let count = orders.count
            idle(.milliseconds(1))
            if orders.count == count, !survey.isMeasuring { idle() }
            answer()
        }
    }
}

@Suite struct SurveyTests {
    @Test func `every pair is measured once, one at a time, when nothing has been computed for a while`() throws {
        var cluster = SurveyedCluster()
        for name in ["c", "a", "b"] { try cluster.join(name) }
        cluster.handle(.proceed(.idle))
        #expect(cluster.orders.isEmpty && cluster.survey.pendingCount == 3)
        cluster.idle()
        let first = try #require(cluster.orders.last)
        #expect(first.node.name == "c")
        guard case .answering(let asking) = first.order.task else {
            Issue.record("\(first)")
            return
        }
        #expect(asking.node.name == "a")
        cluster.answer()
        #expect(cluster.orders.count == 2 && cluster.orders[1].node.name == "a")
        #expect(cluster.orders[1].order.number == first.order.number)
        // Nothing else begins meanwhile.
        cluster.idle()
        #expect(cluster.orders.count == 2)
        cluster.run()
        #expect(
            cluster.survey.links.map { [$0.first.name, $0.second.name] } == [["a", "b"], ["a", "c"], ["b", "c"]])
        #expect(cluster.survey.pendingCount == 0 && cluster.finishedCount == 1 && cluster.failures.isEmpty)
        #expect(cluster.orders.count == 6)
        cluster.idle()
        #expect(cluster.orders.count == 6)
    }

    @Test func `nothing begins while requests run, and what is under way goes on`() throws {
        var cluster = SurveyedCluster()
        for name in ["a", "b", "c"] { try cluster.join(name) }
        cluster.idle()
        cluster.answer()
        cluster.handle(.proceed(.busy))
        cluster.answer()
        #expect(cluster.survey.links.count == 1 && cluster.orders.count == 2)
        cluster.now = cluster.now.advanced(by: .seconds(60))
        cluster.handle(.proceed(.busy))
        cluster.handle(.proceed(.probing))
        #expect(cluster.orders.count == 2 && cluster.survey.nextDeadline != nil)
        cluster.idle()
        #expect(cluster.orders.count == 3)
    }

    @Test func `while the coordinator's own token is under way it is looked again a little later, not at once`() throws
    {
        var cluster = SurveyedCluster()
        for name in ["a", "b"] { try cluster.join(name) }
        cluster.handle(.proceed(.idle))
        cluster.now = cluster.now.advanced(by: .seconds(60))
        cluster.handle(.proceed(.probing))
        #expect(cluster.orders.isEmpty)
        #expect(try #require(cluster.survey.nextDeadline) > cluster.now)
        cluster.handle(.proceed(.idle))
        #expect(cluster.orders.count == 1)
    }

    @Test func `of problems the last few are kept`() throws {
        var cluster = SurveyedCluster()
        try cluster.join("a")
        let node = try #require(NodeID("a"))
        for index in 0..<1000 {
            cluster.handle(.reported(node, MeasurementReport(number: 0, result: .problem("\(index / 2)"))))
        }
        #expect(cluster.survey.problems.count == Survey.problemLimit)
        #expect(cluster.survey.problems.last == "a: 499")
        #expect(Set(cluster.survey.problems).count == Survey.problemLimit)
    }

    @Test func `a worker that does not answer is tried again, and then named`() throws {
        var cluster = SurveyedCluster()
        for name in ["a", "b"] { try cluster.join(name) }
        for attempt in 1...Survey.attemptLimit {
            cluster.idle()
            #expect(cluster.orders.count == attempt)
            cluster.idle(Survey.orderTimeout)
        }
        #expect(cluster.survey.pendingCount == 0)
        #expect(cluster.failures == ["the link a – b is not measured: it did not say what it measured within 15.0 s"])
        #expect(cluster.survey.problems == cluster.failures)
        cluster.survey.restart()
        #expect(cluster.survey.problems.isEmpty && cluster.survey.pendingCount == 3)
        cluster.run()
        #expect(cluster.survey.links.count == 1 && cluster.survey.problems.isEmpty)
    }

    @Test func `reports that nobody waits for change nothing`() throws {
        var cluster = SurveyedCluster()
        for name in ["a", "b", "c"] { try cluster.join(name) }
        cluster.idle()
        let (node, order) = try #require(cluster.orders.last)
        let a = try #require(NodeID("a"))
        let stranger = try #require(NodeID("d"))
        let link = MeasurementReport.Result.link(MeasuredLink(sockets: SurveyedCluster.link()), to: node)
        // From a stranger, from one that is not asked, of an order that never was, and before its time.
        cluster.handle(.reported(stranger, MeasurementReport(number: order.number, result: .answering)))
        cluster.handle(.reported(a, MeasurementReport(number: order.number, result: .answering)))
        cluster.handle(.reported(node, MeasurementReport(number: 77, result: .answering)))
        cluster.handle(.reported(a, MeasurementReport(number: order.number, result: link)))
        cluster.handle(.reported(a, MeasurementReport(number: 0, result: link)))
        #expect(cluster.unexpected.count == 5)
        #expect(cluster.survey.links.isEmpty && cluster.orders.count == 1)
        cluster.answer()
        #expect(cluster.orders.count == 2)
    }

    @Test func `a worker that goes takes its figures with it, and its successor is measured anew`() throws {
        var cluster = SurveyedCluster()
        for name in ["a", "b", "c"] { try cluster.join(name) }
        cluster.run()
        let b = try #require(NodeID("b"))
        cluster.handle(.gone(b))
        #expect(cluster.survey.links.count == 1 && cluster.survey.rates(of: b) == nil)
        try cluster.join("b", rates: nil)
        #expect(cluster.survey.rates(of: b) == nil && cluster.survey.pendingCount == 2)
        cluster.run()
        #expect(cluster.survey.links.count == 3)
    }

    @Test(arguments: [2, 16, 17, 100, 256])
    func `pairs are bounded, and each worker is in one`(count: Int) throws {
        var cluster = SurveyedCluster()
        for number in 0..<count { try cluster.join("n\(1000 + number)") }
        let pairs = cluster.survey.pairs
        #expect(pairs.count <= max(Survey.pairLimit, count) && pairs.allSatisfy { $0.0 < $0.1 })
        #expect(Set(pairs.flatMap { [$0.0, $0.1] }).count == count)
        #expect(Set(pairs.map { "\($0.0) \($0.1)" }).count == pairs.count)
        if count <= 16 { #expect(pairs.count == count * (count - 1) / 2) }
        cluster.run()
        #expect(cluster.survey.links.count == pairs.count)
        let a = cluster.survey.nodes.map(\.peer.node)
        #expect(cluster.survey.measurements(available: a, coordinatorHostID: "").missing.isEmpty)
    }

    @Test func `a plan's measurements are those of the workers, their machines and their links`() throws {
        var cluster = SurveyedCluster()
        try cluster.join("a", host: "one")
        try cluster.join("b", host: "one")
        try cluster.join("c", host: "two")
        cluster.idle()
        // a – b within a machine, a – c and b – c between two.
        for seconds in [1e-5, 1e-3, 2e-3] {
            cluster.answer()
            cluster.answer(
                SurveyedCluster.link(seconds), memory: seconds == 1e-5 ? SurveyedCluster.link(1e-6) : nil)
            cluster.idle()
        }
        #expect(cluster.survey.links.count == 3)
        let names = ["a", "c"].compactMap { NodeID($0) }
        let (measured, missing) = cluster.survey.measurements(available: names, coordinatorHostID: "two")
        #expect(missing.isEmpty)
        #expect(measured.nodes.map(\.host) == ["a", "a", "c"])
        #expect(measured.nodes.map(\.isAvailable) == [true, false, true])
        #expect(measured.nodes[0].ternary == SurveyedCluster.kernels && measured.nodes[0].threadCount == 4)
        #expect(
            measured.hosts == [
                HostMeasurement(
                    name: "a", bandwidthBytesPerSecond: 4e10, coreCount: 8, memoryFreeByteCount: 1 << 34)
            ])
        #expect(measured.linkWithinHost == SurveyedCluster.link(1e-5))
        #expect(measured.exchangeWithinHost == SurveyedCluster.link(1e-6))
        #expect(measured.link == SurveyedCluster.link(2e-3))
        #expect(measured.overrides.contains(LinkOverride(between: "a", and: "c", SurveyedCluster.link(2e-3))))
        #expect(measured.coordinatorHost == "c")
    }

    @Test func `what is missing for a plan is named with the remedy`() throws {
        var cluster = SurveyedCluster()
        try cluster.join("a")
        try cluster.join("b", rates: nil)
        let (measured, missing) = cluster.survey.measurements(available: [], coordinatorHostID: "")
        #expect(measured.nodes.map(\.name) == ["a"])
        #expect(
            missing == [
                "b has not said how fast it is; see its log, and ask it with ryz measure",
                "the link a – b is not measured; let the cluster be idle, or use ryz measure",
            ])
    }

    @Test func `a worker that does not say how fast it is, is asked where a plan needs it, and again a while later`()
        throws
    {
        var cluster = SurveyedCluster(survey: Survey(measuresLinksByItself: false, needsRates: true))
        try cluster.join("a")
        try cluster.join("b", rates: nil)
        let node = try #require(NodeID("b"))
        #expect(cluster.survey.pendingCount == 0 && cluster.survey.nextDeadline == .seconds(15))
        // What cannot be measured now keeps nobody waiting.
        cluster.now = .seconds(15)
        cluster.handle(.proceed(.busy))
        #expect(cluster.survey.pendingCount == 0 && cluster.survey.nextDeadline == .seconds(30))
        cluster.now = .seconds(30)
        cluster.idle()
        #expect(cluster.orders.map(\.node) == [node] && cluster.orders.last?.order.task == .node)
        // Three times in vain, then after a minute.
        for _ in 0..<100 where cluster.now < .seconds(89) { cluster.idle(.seconds(1)) }
        #expect(cluster.orders.count == 3 && cluster.failures.count == 1)
        for _ in 0..<10 where cluster.orders.count == 3 { cluster.idle(.seconds(1)) }
        cluster.answer()
        #expect(cluster.survey.rates(of: node) == SurveyedCluster.rates)
        #expect(cluster.survey.pendingCount == 0 && cluster.survey.nextDeadline == nil)
    }

    @Test func `a worker that says too late how fast it is, or that it cannot tell, is asked no more`() throws {
        var cluster = SurveyedCluster(survey: Survey(measuresLinksByItself: false, needsRates: true))
        try cluster.join("a", rates: nil)
        try cluster.join("b", rates: nil)
        let (a, b) = (try #require(NodeID("a")), try #require(NodeID("b")))
        cluster.now = .seconds(15)
        cluster.idle()
        let late = try #require(cluster.orders.last)
        #expect(late.node == a)
        cluster.idle(.seconds(15))
        for _ in 0..<10 where cluster.orders.last?.node == a { cluster.idle() }
        let refused = try #require(cluster.orders.last)
        #expect(refused.node == b)
        cluster.handle(
            .reported(a, MeasurementReport(number: late.order.number, result: .node(SurveyedCluster.rates))))
        #expect(cluster.survey.rates(of: a) == SurveyedCluster.rates && cluster.survey.pendingCount == 1)
        for _ in 0..<3 {
            let order = try #require(cluster.orders.last)
            cluster.handle(.reported(b, MeasurementReport(number: order.order.number, result: .problem("no memory"))))
            cluster.idle()
        }
        #expect(cluster.failures == ["b is not measured: b: no memory"])
        #expect(cluster.survey.pendingCount == 0 && cluster.survey.nextDeadline == nil)
    }
}
