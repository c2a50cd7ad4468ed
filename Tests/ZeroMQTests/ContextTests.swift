import Testing
import Transport
import Wire
import ZeroMQ

@Suite struct ContextTests {
    @Test func `the context ends in time when all sockets are closed`() async {
        await #expect(processExitsWith: .success) {
            do {
                let first = try links("a")
                let second = try links("b")
                try first.connect(to: second.peer)
                try first.send(envelope(from: first.node), to: second.node)
                _ = try second.next()
            }
            try #require(Context.shared.terminate(within: patience))
        }
    }

    @Test func `a socket left open makes neither the end nor its own calls wait for ever`() async {
        await #expect(processExitsWith: .success) {
            let links = try links("a")
            try #require(!Context.shared.terminate(within: .milliseconds(50)))
            #expect(throws: LinkError.self) { try links.receive(timeout: .seconds(3600)) }
        }
    }

    @Test func `a message filled in place holds what was filled in`() throws {
        let message = try Message(byteCount: 6) { span in
            span.withUnsafeMutableBytes { buffer in
                for index in 0..<4 { buffer[index] = UInt8(index + 1) }
            }
        }
        #expect(message.withBytes { span in span.withUnsafeBytes { Array($0) } } == [1, 2, 3, 4, 0, 0])
        #expect(message.byteCount == 6)
        #expect(try Message(byteCount: 0) { _ in }.byteCount == 0)
    }
}
