import Testing
import Transport

@testable import ClusterCore

struct CircuitBreakerTests {
    /// Fails so often at once that it opens.
    private static func opened(at now: Instant = .zero) -> CircuitBreaker {
        var breaker = CircuitBreaker()
        #expect(breaker.noteFailure(at: now) == nil)
        #expect(breaker.noteFailure(at: now) == nil)
        #expect(breaker.noteFailure(at: now) == .seconds(5))
        return breaker
    }

    @Test func `it opens with the third failure within a minute`() {
        var breaker = CircuitBreaker()
        for second in [0.0, 30, 60, 90] { #expect(breaker.noteFailure(at: .seconds(second)) == nil) }
        #expect(breaker.state == .closed && breaker.nextDeadline == nil)
        #expect(breaker.noteFailure(at: .seconds(119)) == .seconds(5))
        #expect(breaker.state == .open && breaker.nextDeadline == .seconds(124))
    }

    @Test func `a token that comes back closes it once the back-off is over`() {
        var breaker = Self.opened()
        #expect(breaker.noteSuccess() == false)
        breaker.tick(at: .seconds(4.9))
        #expect(breaker.state == .open)
        breaker.tick(at: .seconds(5))
        #expect(breaker.state == .halfOpen && breaker.nextDeadline == nil)
        #expect(breaker.noteSuccess() == true)
        #expect(breaker.state == .closed)
        #expect(breaker.noteSuccess() == false)
    }

    @Test func `a failure while it is tried opens it for twice as long, up to two minutes`() {
        var breaker = Self.opened()
        var now = Instant.zero
        for seconds in [10, 20, 40, 80, 120, 120] {
            guard let deadline = breaker.nextDeadline else {
                Issue.record("it is not open")
                return
            }
            now = deadline
            breaker.tick(at: now)
            #expect(breaker.noteFailure(at: now) == .seconds(seconds))
        }
    }

    @Test func `a minute without failures makes it forget how often it opened`() {
        var breaker = Self.opened()
        breaker.tick(at: .seconds(5))
        #expect(breaker.noteSuccess() == true)
        for _ in 0..<2 { #expect(breaker.noteFailure(at: .seconds(20)) == nil) }
        #expect(breaker.noteFailure(at: .seconds(20)) == .seconds(10))
        breaker.tick(at: .seconds(30))
        #expect(breaker.noteSuccess() == true)
        for _ in 0..<2 { #expect(breaker.noteFailure(at: .seconds(80)) == nil) }
        #expect(breaker.noteFailure(at: .seconds(80)) == .seconds(5))
    }

    @Test func `failures while it is open change nothing`() {
        var breaker = Self.opened()
        #expect(breaker.noteFailure(at: .seconds(1)) == nil)
        #expect(breaker.nextDeadline == .seconds(5) && breaker.openingCount == 1)
    }
}
