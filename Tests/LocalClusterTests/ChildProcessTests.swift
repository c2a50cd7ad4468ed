import Foundation
import Testing

@testable import LocalCluster

@Suite struct ChildProcessTests {
    /// Ends when its input does, as the cluster's programs do.
    private static let obedient = ["-c", "read line; exit 7"]
    /// Ends neither with its input nor when asked.
    private static let stubborn = ["-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]

    @Test(.timeLimit(.minutes(10))) func `a child that ends early is reported with its exit status`() async throws {
        let children = Children(stopTimeout: .seconds(10))
        try children.start(name: "short", program: "/bin/sh", arguments: ["-c", "exit 3"])
        let status = ExitStatus(code: 3, isSignal: false)
        await #expect(throws: LocalClusterError.childEnded(name: "short", status: status)) {
            try await WorkerSupervision(.endsCluster, notice: { _ in }).watch(children)
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a child that was killed is reported with the signal`() async throws {
        let children = Children(stopTimeout: .seconds(10))
        try children.start(name: "long", program: "/bin/sh", arguments: Self.obedient)
        children.all[0].send(9)
        let status = ExitStatus(code: 9, isSignal: true)
        await #expect(throws: LocalClusterError.childEnded(name: "long", status: status)) {
            try await WorkerSupervision(.endsCluster, notice: { _ in }).watch(children)
        }
    }

    /// Watches a coordinator and a worker, of which first the worker ends and, after all that follows, the coordinator.
    private static func notices(_ loss: WorkerLoss, isReady: Bool) async throws -> [String] {
        let children = Children(stopTimeout: .seconds(10))
        let (notices, continuation) = AsyncStream.makeStream(of: String.self)
        let workers = WorkerSupervision(loss) { notice in
            continuation.yield(notice)
            if loss == .isLeft || notice.hasSuffix("2 s") { children.all.first { $0.name == "head" }?.send(9) }
        }
        try children.start(name: "head", program: "/bin/sh", arguments: obedient)
        try workers.start("worker-1") { () throws(LocalClusterError) in
            try children.start(name: "worker-1", program: "/bin/sh", arguments: ["-c", "exit 5"])
        }
        if isReady { workers.noteReady() }
        do { try await workers.watch(children) } catch { continuation.yield("\(error)") }
        await children.stop()
        continuation.finish()
        return await notices.reduce(into: []) { $0.append($1) }
    }

    @Test(.timeLimit(.minutes(10))) func `a cluster goes on without a worker, starts it anew, or ends, as it is told`()
        async throws
    {
        let headEnded = "head ended early (it was killed by signal 9); see its log above"
        let workerEnded = "worker-1 ended early (its exit status is 5); see its log above"
        #expect(try await Self.notices(.endsCluster, isReady: true) == [workerEnded])
        // What ends before the cluster is ready would only be started in vain.
        #expect(try await Self.notices(.restarts, isReady: false) == [workerEnded])
        #expect(
            try await Self.notices(.isLeft, isReady: true) == [
                "worker-1 ended (its exit status is 5); the cluster goes on without it", headEnded,
            ])
        #expect(
            try await Self.notices(.restarts, isReady: true) == [
                "worker-1 ended (its exit status is 5); it is started anew in 1 s",
                "worker-1 ended (its exit status is 5); it is started anew in 2 s", headEnded,
            ])
    }

    @Test(.timeLimit(.minutes(10))) func `children end when their input does, whichever was started first`()
        async throws
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

    @Test(.timeLimit(.minutes(10))) func `a child that will not end is killed, also when the caller is cancelled`()
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

    @Test(.timeLimit(.minutes(10))) func `a program that cannot be started is named`() {
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

    @Test(.timeLimit(.minutes(10))) func `a child has this process's environment and what it is given besides`()
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

    @Test(.timeLimit(.minutes(10))) func `a first line that is too long is none`() async throws {
        let children = Children(stopTimeout: .seconds(10))
        let output = Pipe()
        try children.start(
            name: "talker", program: "/bin/sh", arguments: ["-c", "echo 12345678"], output: .pipe(output))
        #expect(await FirstLine.read(from: output, maximumByteCount: 4) == nil)
        await children.stop()
    }
}
