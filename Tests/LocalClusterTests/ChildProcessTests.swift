import Foundation
import Testing

@testable import LocalCluster

@Suite struct ChildProcessTests {
    /// Ends when its input does, as the cluster's programs do.
    private static let obedient = ["-c", "read line; exit 7"]
    /// Ends neither with its input nor when asked.
    private static let stubborn = ["-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]

    @Test(.timeLimit(.minutes(1))) func `a child that ends early is reported with its exit status`() async throws {
        let children = Children(stopTimeout: .seconds(10))
        try children.start(name: "short", program: "/bin/sh", arguments: ["-c", "exit 3"])
        let status = ExitStatus(code: 3, isSignal: false)
        await #expect(throws: LocalClusterError.childEnded(name: "short", status: status)) {
            try await children.watch()
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a child that was killed is reported with the signal`() async throws {
        let children = Children(stopTimeout: .seconds(10))
        try children.start(name: "long", program: "/bin/sh", arguments: Self.obedient)
        children.all[0].send(9)
        let status = ExitStatus(code: 9, isSignal: true)
        await #expect(throws: LocalClusterError.childEnded(name: "long", status: status)) { try await children.watch() }
    }

    @Test(.timeLimit(.minutes(1))) func `children end when their input does, whichever was started first`() async throws
    {
        let children = Children(stopTimeout: .seconds(30))
        for name in ["one", "two", "three"] {
            try children.start(name: name, program: "/bin/sh", arguments: Self.obedient)
        }
        // Each by itself: no child may hold another's input open.
        for child in children.all {
            child.closeInput()
            while child.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        }
        await children.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `a child that will not end is killed, also when the caller is cancelled`()
        async throws
    {
        let children = Children(stopTimeout: .milliseconds(100))
        let output = Pipe()
        try children.start(name: "stubborn", program: "/bin/sh", arguments: Self.stubborn, output: .pipe(output))
        #expect(await FirstLine.read(from: output, maximumByteCount: 100) == "ready")
        let stopping = Task { await children.stop() }
        stopping.cancel()
        await stopping.value
        #expect(!children.all[0].isRunning)
    }

    @Test(.timeLimit(.minutes(1))) func `a program that cannot be started is named`() {
        let children = Children(stopTimeout: .seconds(1))
        let error = #expect(throws: LocalClusterError.self) {
            try children.start(name: "none", program: "/nonexistent/program", arguments: [])
        }
        guard case .cannotStart(let program, _)? = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
        #expect(program == "/nonexistent/program")
    }

    @Test(.timeLimit(.minutes(1))) func `a child has this process's environment and what it is given besides`()
        async throws
    {
        let children = Children(stopTimeout: .seconds(10))
        let output = Pipe()
        try children.start(
            name: "env", program: "/bin/sh", arguments: ["-c", "echo \"$RYZ_ISA ${PATH:+has a path}\""],
            environment: ["RYZ_ISA": "avx2"], output: .pipe(output))
        #expect(await FirstLine.read(from: output, maximumByteCount: 100) == "avx2 has a path")
        await children.stop()
    }

    @Test(.timeLimit(.minutes(1))) func `a first line that is too long is none`() async throws {
        let children = Children(stopTimeout: .seconds(10))
        let output = Pipe()
        try children.start(
            name: "talker", program: "/bin/sh", arguments: ["-c", "echo 12345678"], output: .pipe(output))
        #expect(await FirstLine.read(from: output, maximumByteCount: 4) == nil)
        await children.stop()
    }
}
