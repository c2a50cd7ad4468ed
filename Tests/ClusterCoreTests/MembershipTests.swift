import ClusterCore
import Testing
import Transport

/// Membership with the default bounds: suspect after 1 s of silence, lost after 2 s. Connections are numbers.
struct MembershipTests {
    var membership = Membership<Int>(configuration: MembershipConfiguration())

    @Test mutating func `a worker that says hello is taken in and its heartbeats are answered`() {
        #expect(
            membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0)) == [.welcome(a, 1), .joined(a)])
        #expect(
            membership.handle(.heartbeat(a, .number(1), from: 1), at: .seconds(0.5))
                == [.acknowledge(a, 1, number: 1)])
        #expect(membership[a]?.state == .live(.joining))
        #expect(membership.connection(of: a) == 1)
    }

    @Test mutating func `silence makes a worker suspect, then lost, and never before the bounds`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        membership.setPhase(.ready, of: a)
        #expect(membership.nextDeadline == .seconds(0.5))
        #expect(membership.handle(.tick, at: .seconds(0.499)) == [])
        #expect(membership.handle(.tick, at: .seconds(0.5)) == [.ask(a, 1)])
        #expect(membership.nextDeadline == .seconds(1))
        #expect(membership.handle(.tick, at: .seconds(0.999)) == [])
        #expect(membership.handle(.tick, at: .seconds(1)) == [.suspected(a, silence: .seconds(1)), .ask(a, 1)])
        #expect(membership[a]?.state == .suspect(.ready))
        #expect(membership.nextDeadline == .seconds(2))
        #expect(membership.handle(.tick, at: .seconds(1.999)) == [])
        #expect(membership.handle(.tick, at: .seconds(2)) == [.lost(a, reason: "silent for 2.0 s")])
        #expect(membership[a]?.state == .lost)
        #expect(membership.nextDeadline == nil)
        #expect(membership.connection(of: a) == nil)
    }

    @Test
    mutating func `a worker whose connection is closed is lost at once if it has been silent, not if it was heard`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        #expect(membership.handle(.closed(a, 1), at: .seconds(0.49)) == [])
        #expect(membership.handle(.tick, at: .seconds(0.5)) == [.ask(a, 1)])
        _ = membership.handle(.heartbeat(a, .number(1), from: 1), at: .seconds(0.6))
        #expect(membership.handle(.closed(a, 1), at: .seconds(0.7)) == [])
        #expect(membership.handle(.tick, at: .seconds(1.1)) == [.ask(a, 1)])
        #expect(membership.handle(.closed(a, 2), at: .seconds(1.2)) == [])
        #expect(membership.handle(.closed(b, 1), at: .seconds(1.2)) == [])
        #expect(membership.handle(.closed(a, 1), at: .seconds(1.2)) == [.lost(a, reason: "its connection is closed")])
        #expect(membership.handle(.closed(a, 1), at: .seconds(1.3)) == [])
    }

    @Test mutating func `a process started anew need not wait where its predecessor's connection is closed`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        #expect(membership.handle(.hello(a, .from(a, incarnation: 2), from: 2), at: .seconds(0.4)) == [])
        #expect(
            membership.handle(.closed(a, 1), at: .seconds(0.5)) == [
                .lost(a, reason: "its process was started anew"), .welcome(a, 2), .joined(a),
            ])
        #expect(membership.connection(of: a) == 2)
    }

    @Test mutating func `a suspect that is heard of again is what it was before`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        membership.setPhase(.ready, of: a)
        _ = membership.handle(.tick, at: .seconds(1.5))
        #expect(
            membership.handle(.heartbeat(a, .number(1), from: 1), at: .seconds(1.6))
                == [.acknowledge(a, 1, number: 1), .recovered(a)])
        #expect(membership[a]?.state == .live(.ready))
    }

    @Test mutating func `a lost worker's heartbeats stay unanswered until it says hello`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        _ = membership.handle(.tick, at: .seconds(2))
        #expect(membership.handle(.heartbeat(a, .number(9), from: 1), at: .seconds(3)) == [.ignored(a)])
        #expect(
            membership.handle(.hello(a, .from(a), from: 2), at: .seconds(4)) == [.welcome(a, 2), .joined(a)])
    }

    @Test mutating func `the same process may connect again`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        #expect(
            membership.handle(.hello(a, .from(a), from: 2), at: .seconds(0.1)) == [.welcome(a, 2), .returned(a)])
        #expect(membership.handle(.heartbeat(a, .number(1), from: 1), at: .seconds(0.2)) == [.ignored(a)])
        #expect(
            membership.handle(.heartbeat(a, .number(1), from: 2), at: .seconds(0.3))
                == [.acknowledge(a, 2, number: 1)])
    }

    @Test mutating func `a second process of a name in use is refused by the first one's next heartbeat`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        #expect(membership.handle(.hello(a, .from(a, incarnation: 2), from: 2), at: .seconds(0.4)) == [])
        #expect(
            membership.handle(.heartbeat(a, .number(1), from: 1), at: .seconds(0.5)) == [
                .acknowledge(a, 1, number: 1),
                .refuse(
                    a, 2, reason: "the name a is in use by process 101 on box; start the worker with another --name"),
            ])
        #expect(membership.connection(of: a) == 1)
    }

    @Test mutating func `a process started anew takes its silent predecessor's place at the suspicion bound`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        #expect(membership.handle(.hello(a, .from(a, incarnation: 2), from: 2), at: .seconds(0.4)) == [])
        #expect(membership.handle(.tick, at: .seconds(0.5)) == [.ask(a, 1)])
        #expect(membership.nextDeadline == .seconds(1))
        #expect(
            membership.handle(.tick, at: .seconds(1)) == [
                .lost(a, reason: "its process was started anew"), .welcome(a, 2), .joined(a),
            ])
        #expect(membership[a]?.hello.incarnation == 2)
        #expect(membership[a]?.state == .live(.joining))
    }

    @Test mutating func `a worker that leaves makes room for its successor at once`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        _ = membership.handle(.hello(a, .from(a, incarnation: 2), from: 2), at: .seconds(0.1))
        #expect(
            membership.handle(.leave(a, reason: "stopped", from: 1), at: .seconds(0.2)) == [
                .left(a, reason: "stopped"), .welcome(a, 2), .joined(a),
            ])
    }

    @Test mutating func `only the worker itself can say that it leaves`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        #expect(membership.handle(.leave(a, reason: "stopped", from: 2), at: .seconds(0.1)) == [.ignored(a)])
        #expect(membership.handle(.leave(b, reason: "stopped", from: 2), at: .seconds(0.1)) == [.ignored(b)])
        #expect(membership[a]?.isPresent == true)
    }

    @Test mutating func `the coordinator's own name is refused`() {
        let effects = membership.handle(.hello(.coordinator, .from(a), from: 1), at: .seconds(0))
        guard case .refuse(.coordinator, 1, let reason)? = effects.first else {
            Issue.record("not refused: \(effects)")
            return
        }
        #expect(reason.contains("--name"))
    }

    @Test func `beyond its limit the cluster forgets those that are gone, and refuses when none are`() {
        var membership = Membership<Int>(configuration: MembershipConfiguration(memberLimit: 2))
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        _ = membership.handle(.hello(b, .from(b), from: 2), at: .seconds(0))
        guard case .refuse(c, 3, _)? = membership.handle(.hello(c, .from(c), from: 3), at: .seconds(0.1)).first else {
            Issue.record("a third worker was not refused")
            return
        }
        _ = membership.handle(.leave(a, reason: "stopped", from: 1), at: .seconds(0.2))
        #expect(membership.handle(.hello(c, .from(c), from: 3), at: .seconds(0.3)) == [.welcome(c, 3), .joined(c)])
        #expect(membership.members.map(\.node) == [b, c])
    }

    @Test mutating func `a worker's speed is what it computed over its last heartbeats`() {
        _ = membership.handle(.hello(a, .from(a), from: 1), at: .seconds(0))
        for second in 0...40 {
            let heartbeat = Heartbeat.number(UInt64(second), computedTokenCount: UInt64(second < 20 ? 0 : second * 30))
            _ = membership.handle(.heartbeat(a, heartbeat, from: 1), at: .seconds(Double(second)))
        }
        #expect(membership[a]?.tokensPerSecond == 30)
    }
}
