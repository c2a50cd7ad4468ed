import Testing
import Transport

@testable import ClusterCore

struct BalancerTests {
    private static let own = TokenWork(knownCount: 100, newCount: 50)

    private static func offer(
        _ replica: Int, known: Int = 0, new: Int = 0, own: TokenWork = own, seconds: Double? = nil,
        hasRoom: Bool = true, openings: Int = 0
    ) -> Balancer.Offer {
        Balancer.Offer(
            replica: replica, outstanding: TokenWork(knownCount: known, newCount: new), own: own,
            pace: Pace(secondsPerNewToken: seconds), hasRoom: hasRoom, openingCount: openings)
    }

    @Test func `a request goes where the least is to be done, not where the fewest requests are`() {
        #expect(Balancer.pick([]) == nil)
        #expect(Balancer.pick([Self.offer(0, new: 500), Self.offer(1, known: 200, new: 300)]) == 1)
        #expect(Balancer.pick([Self.offer(0), Self.offer(1)]) == 0)
        // A token of a prompt costs less than one that is generated.
        #expect(Balancer.pick([Self.offer(0, known: 300), Self.offer(1, new: 100)]) == 0)
    }

    @Test func `a replica that is twice as fast gets twice the work`() {
        var work = [0, 0]
        for _ in 0..<300 {
            let offers = [Self.offer(0, new: work[0], seconds: 0.01), Self.offer(1, new: work[1], seconds: 0.02)]
            work[Balancer.pick(offers) ?? 0] += 50
        }
        #expect(abs(work[0] - 2 * work[1]) <= 100)
    }

    @Test func `a replica whose pace is not known counts as fast as the others are`() {
        let offers = [Self.offer(0, new: 90, seconds: 0.5), Self.offer(1, new: 100)]
        #expect(Balancer.pick(offers) == 0)
        #expect(Balancer.pick([Self.offer(0, new: 110, seconds: 0.5), offers[1]]) == 1)
    }

    @Test func `what is kept of a conversation draws it there, as long as that is not slower`() {
        let kept = TokenWork(knownCount: 10, newCount: 50)
        let far = TokenWork(knownCount: 2000, newCount: 50)
        #expect(Balancer.pick([Self.offer(0, own: far), Self.offer(1, new: 100, own: kept)]) == 1)
        #expect(Balancer.pick([Self.offer(0, own: far), Self.offer(1, new: 1000, own: kept)]) == 0)
    }

    @Test func `it waits only where it would have to wait everywhere`() {
        let busy = Self.offer(0, new: 10, hasRoom: false)
        #expect(Balancer.pick([busy, Self.offer(1, new: 4000)]) == 1)
        #expect(Balancer.pick([busy, Self.offer(1, new: 4000, hasRoom: false)]) == 0)
    }

    @Test func `an open breaker is passed by, and of open ones the one that failed least gets it`() {
        let open = Self.offer(0, openings: 2)
        #expect(Balancer.pick([open, Self.offer(1, new: 9000, hasRoom: false)]) == 1)
        #expect(Balancer.pick([open, Self.offer(1, new: 9000, hasRoom: false, openings: 1)]) == 1)
        #expect(Balancer.pick([open]) == 0)
    }
}

struct PaceTests {
    private static func step(_ counts: [Int]) -> Step {
        let slices = counts.enumerated().map { index, count in
            SequenceSlice(
                sequence: SequenceID(UInt64(index)), startPosition: 0, tokens: [Int32](repeating: 1, count: count),
                output: .none)
        }
        return Step(id: StepID(1), slices: slices, released: [])
    }

    private static let work = TokenWork(knownCount: 100, newCount: 10)

    @Test func `a step of one token each tells how long a stream waits for a token, however many there are`() {
        var pace = Pace()
        pace.note(Self.step([1, 1, 1]), sentAt: .zero, previousResultAt: .seconds(0.3), at: .seconds(0.4))
        #expect(pace.secondsPerNewToken == 0.4)
        pace.note(Self.step([1]), sentAt: .seconds(1), previousResultAt: .zero, at: .seconds(1.8))
        #expect(abs((pace.secondsPerNewToken ?? 0) - 0.45) < 1e-9)
        #expect(pace.secondsPerKnownToken == nil)
    }

    @Test func `a step with prompts tells what a row takes, from the result before it`() {
        var pace = Pace()
        pace.note(Self.step([15, 1]), sentAt: .zero, previousResultAt: .seconds(0.5), at: .seconds(0.9))
        #expect(abs((pace.secondsPerKnownToken ?? 0) - 0.025) < 1e-9)
        // Too small to tell.
        pace.note(Self.step([2]), sentAt: .zero, previousResultAt: .zero, at: .seconds(9))
        #expect(abs((pace.secondsPerKnownToken ?? 0) - 0.025) < 1e-9 && pace.secondsPerNewToken == nil)
    }

    @Test func `figures that are not known are taken from those that are`() {
        #expect(Pace().seconds(for: Self.work, usualSeconds: 2) == 10 * 2 + 100 * 0.25)
        let pace = Pace(secondsPerNewToken: 1, secondsPerKnownToken: 0.5)
        #expect(pace.seconds(for: Self.work, usualSeconds: 9) == 10 + 50)
    }
}
