import Checkpoints
import Transport
import ZeroMQ

/// Asks the coordinator for parts of a model's files, and other workers for those chunks that they have: of each a few at a
/// time, as often as it takes.
final class WeightsRequests {
    /// What is to be done about an answer.
    enum Verdict {
        case taken
        /// Ask again, a little later.
        case again
    }

    /// Judges the answer to an item, from that source.
    typealias Take = (Int, WeightsReply.Result, (any Payload)?, Peer) throws(WeightsError) -> Verdict

    /// Another worker.
    private final class Helper {
        let number: Int
        let line: WeightsLine
        let openedAt: ContinuousClock.Instant
        /// What it has; nil before it has said so.
        var held: ChunkSet? {
            didSet { hasAll = held.map { $0.count == $0.chunkCount } ?? false }
        }
        private(set) var hasAll = false
        var isAskedForHeld = false
        var nextLookAt: ContinuousClock.Instant
        /// About how long it takes for an answer.
        var pace: Duration = .zero
        var isSlow = false

        init(_ number: Int, _ line: WeightsLine, at now: ContinuousClock.Instant) {
            (self.number, self.line, openedAt, nextLookAt) = (number, line, now, now)
        }
    }

    private let supply: WeightsSupply
    private let patience: WeightsPatience
    private let origin: WeightsLine
    private let clock = ContinuousClock()
    private var helpers: [Helper] = []
    private var lastHelper = 0
    /// Workers that are asked no more.
    private var dropped: [Peer] = []

    /// The number of the question what a helper has; those of items begin with 0.
    private static let heldQuestion = -1
    /// Nobody but the coordinator is asked for a manifest, the only thing that is larger than a chunk.
    private static let helperLimits: WeightsLimits = {
        var limits = WeightsLimits()
        // Encryption adds some bytes to each frame.
        limits.maximumPayloadByteCount = ShardManifest.chunkByteCount + (64 << 10)
        return limits
    }()
    /// After how many answers of one source to look at the others.
    private static let answersPerLook = 16

    init(_ supply: WeightsSupply, patience: WeightsPatience) throws(WeightsError) {
        self.supply = supply
        self.patience = patience
        origin = try WeightsLine(to: supply.source, supply)
    }

    /// Asks for all items, in order as far as the network keeps it, until `take` has taken an answer to each.
    ///
    /// - Throws: `.refused`, `.silent`, `.abandoned`, `.link`, or what `take` throws.
    func run(_ items: [WeightsRequest.Item], take: Take) throws(WeightsError) {
        try run(count: items.count, of: nil, item: { items[$0] }, take: take)
    }

    /// Gets all chunks in the same way, from whoever has them.
    func run(_ chunks: [ShardChunk], of entry: ShardEntry, take: Take) throws(WeightsError) {
        let content = entry.content
        let sharing = Sharing(content: content, chunkCount: entry.manifest.chunkCount) {
            entry.position(of: chunks[$0])
        }
        try run(
            count: chunks.count, of: sharing,
            item: { .chunk(WeightsChunk(content: content, file: chunks[$0].file, index: chunks[$0].index)) },
            take: take)
    }

    /// What others may have of the items.
    private struct Sharing {
        var content: [UInt8]
        var chunkCount: Int
        /// Of an item in a `ChunkSet`.
        var position: (Int) -> Int
    }

    private func run(
        count: Int, of sharing: Sharing?, item: (Int) -> WeightsRequest.Item, take: Take
    ) throws(WeightsError) {
        var plan = WeightsPlan(count: count)
        if let sharing { for helper in helpers { note(helper, in: &plan, sharing) } }
        var silence = patience.firstSilence
        var hashed: LoadingProgress?
        var (progressedAt, pausedUntil) = (clock.now, clock.now)
        while plan.openCount > 0 {
            if supply.isAbandoned() { throw .abandoned }
            if let sharing {
                takeInHelpers(&plan)
                askHelpers(&plan, sharing, item)
            }
            // What a helper may have is not asked for before it could say so.
            let knowsHelpers = helpers.allSatisfy {
                $0.held != nil || clock.now - $0.openedAt >= patience.introduction
            }
            if clock.now >= pausedUntil, sharing == nil || knowsHelpers { try askOrigin(&plan, item) }
            try wait()
            for _ in 0..<Self.answersPerLook {
                guard let answer = try origin.nextAnswer() else { break }
                switch try verdict(on: answer, take) {
                case .taken:
                    plan.finish(answer.index)
                    progressedAt = clock.now
                    silence = patience.firstSilence
                case .again:
                    plan.giveBack(answer.index)
                    pausedUntil = clock.now + patience.pause
                }
                if case .hashing(let progress) = answer.result, progress != hashed {
                    hashed = progress
                    progressedAt = clock.now
                    supply.report(progress)
                }
            }
            if let sharing, try hearHelpers(&plan, sharing, take) { progressedAt = clock.now }
            if clock.now - progressedAt >= patience.longestStandstill {
                throw .silent(supply.source, seconds: Int(patience.longestStandstill.components.seconds))
            }
            if let since = origin.waitingSince, clock.now - since >= silence {
                // What was asked for may be lost, or the connection hang; a fresh one costs nothing.
                for index in try origin.reconnect().reversed() { plan.giveBack(index) }
                silence = min(silence * 2, patience.longestSilence)
            }
        }
    }

    private func askOrigin(
        _ plan: inout WeightsPlan, _ item: (Int) -> WeightsRequest.Item
    ) throws(WeightsError) {
        while origin.openCount < patience.openRequestLimit, let index = plan.nextForOrigin() {
            guard try origin.ask(item(index), as: index) else { return plan.giveBack(index) }
        }
    }

    private func verdict(on answer: WeightsLine.Answer, _ take: Take) throws(WeightsError) -> Verdict {
        switch answer.result {
        case .problem(let problem): throw .refused(supply.source, problem: problem)
        case .hashing: .again
        case .content, .bytes: try take(answer.index, answer.result, answer.payload, supply.source)
        }
    }

    private func wait() throws(WeightsError) {
        let sockets = [origin.socket] + helpers.map(\.line.socket)
        do throws(LinkError) {
            try WeightsClientSocket.wait(forAnyOf: sockets, wake: supply.wake, timeout: patience.pause)
        } catch {
            throw .link(error.description)
        }
    }
}

// Other workers. Whatever one of them does wrong ends no more than the dealings with it.
extension WeightsRequests {
    private func takeInHelpers(_ plan: inout WeightsPlan) {
        let peers = supply.peers()
        // Those that the coordinator names no more may come back.
        for helper in helpers where !peers.contains(helper.line.source) { remove(helper, from: &plan) }
        for peer in peers where helpers.count < WeightsSources.limit {
            guard peer.node != supply.node, peer.node != supply.source.node, !dropped.contains(peer),
                !helpers.contains(where: { $0.line.source == peer })
            else { continue }
            do throws(WeightsError) {
                let line = try WeightsLine(to: peer, supply, limits: Self.helperLimits)
                lastHelper += 1
                helpers.append(Helper(lastHelper, line, at: clock.now))
            } catch {
                giveUp(peer, because: error.description)
            }
        }
    }

    /// The faster ones first.
    private func askHelpers(_ plan: inout WeightsPlan, _ sharing: Sharing, _ item: (Int) -> WeightsRequest.Item) {
        for helper in helpers.sorted(by: { $0.pace < $1.pace }) {
            do throws(WeightsError) {
                try lookAt(helper, sharing)
                let limit = helper.isSlow ? 1 : patience.openRequestLimit
                while helper.line.openCount < limit,
                    helpers.reduce(0, { $0 + $1.line.openCount }) < patience.sharedRequestLimit,
                    let index = plan.next(for: helper.number)
                {
                    guard try helper.line.ask(item(index), as: index) else {
                        plan.giveBack(index)
                        break
                    }
                }
            } catch {
                drop(helper, from: &plan, because: error.description)
            }
        }
    }

    /// Asks what a helper has, from time to time: it may be fetching, too.
    private func lookAt(_ helper: Helper, _ sharing: Sharing) throws(WeightsError) {
        guard !helper.isAskedForHeld, clock.now >= helper.nextLookAt, !helper.hasAll else {
            return
        }
        helper.isAskedForHeld = try helper.line.ask(.holdings(content: sharing.content), as: Self.heldQuestion)
    }

    /// Whether anything of use came.
    private func hearHelpers(_ plan: inout WeightsPlan, _ sharing: Sharing, _ take: Take) throws(WeightsError) -> Bool {
        var isFurther = false
        for helper in helpers {
            for _ in 0..<Self.answersPerLook {
                let answer: WeightsLine.Answer?
                do throws(WeightsError) { answer = try helper.line.nextAnswer() } catch {
                    drop(helper, from: &plan, because: error.description)
                    break
                }
                guard let answer else { break }
                let problem: String?
                if answer.index == Self.heldQuestion {
                    problem = takeHeld(answer, of: helper, &plan, sharing)
                } else {
                    problem = try takeChunk(answer, from: helper, &plan, take)
                    isFurther = isFurther || problem == nil
                }
                if let problem {
                    drop(helper, from: &plan, because: problem)
                    break
                }
            }
            if let since = helper.line.waitingSince, clock.now - since >= patience.firstSilence {
                drop(helper, from: &plan, because: "it has not answered for \(patience.firstSilence)")
            }
        }
        return isFurther
    }

    /// What is wrong with the answer; nil if nothing is.
    private func takeHeld(
        _ answer: WeightsLine.Answer, of helper: Helper, _ plan: inout WeightsPlan, _ sharing: Sharing
    ) -> String? {
        helper.isAskedForHeld = false
        helper.nextLookAt = clock.now + patience.lookInterval
        switch answer.result {
        case .problem(let problem): return "it refuses: \(problem)"
        case .hashing:
            helper.held = helper.held ?? ChunkSet(none: sharing.chunkCount)
            return nil
        case .bytes:
            guard let payload = answer.payload, payload.byteCount == ChunkSet.byteCount(for: sharing.chunkCount),
                let held = ChunkSet(payload.bytes, chunkCount: sharing.chunkCount)
            else { return "what it says that it has cannot be" }
            helper.held = held
            note(helper, in: &plan, sharing)
            return nil
        case .content: return "it answers what it was not asked for"
        }
    }

    private func note(_ helper: Helper, in plan: inout WeightsPlan, _ sharing: Sharing) {
        guard let held = helper.held else { return }
        plan.note(helper.number) { held.contains(sharing.position($0)) }
        if helper.isSlow { plan.noteSlow(helper.number) }
    }

    /// What is wrong with the answer; nil if nothing is.
    private func takeChunk(
        _ answer: WeightsLine.Answer, from helper: Helper, _ plan: inout WeightsPlan, _ take: Take
    ) throws(WeightsError) -> String? {
        guard case .bytes = answer.result,
            try take(answer.index, answer.result, answer.payload, helper.line.source) == .taken
        else {
            plan.giveBack(answer.index)
            if case .problem(let problem) = answer.result { return "it refuses: \(problem)" }
            return "it sent wrong bytes"
        }
        plan.finish(answer.index)
        // As many more as are under way elsewhere come over the same cable meanwhile.
        let openCount = helpers.reduce(1) { $0 + $1.line.openCount }
        let duration = answer.duration / max(1, openCount / patience.openRequestLimit)
        helper.pace = helper.pace == .zero ? duration : (helper.pace * 3 + duration) / 4
        if helper.pace > patience.slowAnswer, !helper.isSlow {
            helper.isSlow = true
            plan.noteSlow(helper.number)
        }
        return nil
    }

    private func drop(_ helper: Helper, from plan: inout WeightsPlan, because problem: String) {
        guard remove(helper, from: &plan) else { return }
        giveUp(helper.line.source, because: problem)
    }

    /// What it was asked for is asked of others; false if it is gone already.
    @discardableResult
    private func remove(_ helper: Helper, from plan: inout WeightsPlan) -> Bool {
        guard let place = helpers.firstIndex(where: { $0 === helper }) else { return false }
        helpers.remove(at: place)
        plan.remove(helper.number)
        for index in helper.line.abandon().reversed() where index != Self.heldQuestion { plan.giveBack(index) }
        return true
    }

    private func giveUp(_ peer: Peer, because problem: String) {
        // A source that comes and goes under ever new addresses may be tried again.
        if dropped.count >= 4 * WeightsSources.limit { dropped.removeFirst() }
        dropped.append(peer)
        supply.noteDropped(peer, problem)
    }
}
