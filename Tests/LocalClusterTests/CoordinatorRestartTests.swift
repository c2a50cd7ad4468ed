import ClusterClient
import ClusterCore
import Foundation
import TestSupport
import Testing

@testable import LocalCluster

/// A coordinator that is killed and started anew, whose workers go on.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CoordinatorRestartTests {
    /// Coordinator and workers as processes of this test.
    private struct Processes {
        let children = Children(stopTimeout: .seconds(10))
        let stateFolder: String
        var http = "127.0.0.1:0"
        var control = "tcp://127.0.0.1:0"

        /// Starts the coordinator on the addresses that the one before had.
        mutating func startCoordinator() async throws {
            let output = Pipe()
            try children.start(
                name: "ryz-coord", program: try Programs.path("ryz-coord", in: Programs.ownFolder),
                arguments: [
                    "--http", http, "--control", control, "--model", Fixtures.ryzTinyPath, "--workers", "2", "--state",
                    stateFolder, "--log-level", "error", "--end-with-parent",
                ], output: .pipe(output))
            let line = await FirstLine.read(from: output, maximumByteCount: CoordinatorAnnouncement.maximumByteCount)
            let announcement = try CoordinatorAnnouncement(line: try #require(line))
            http = announcement.http.description.replacingOccurrences(of: "http://", with: "")
            control = announcement.controlEndpoint
        }

        func startWorker(_ name: String) throws {
            try children.start(
                name: name, program: try Programs.path("ryz-worker", in: Programs.ownFolder),
                arguments: [
                    "--coordinator", control, "--name", name, "--threads", "1", "--log-level", "error",
                    "--end-with-parent",
                ])
        }

        func kill(_ name: String) async throws {
            let child = try #require(children.all.first { $0.name == name })
            child.send(SIGKILL)
            while child.isRunning { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    private static func waitUntilHealthy(_ client: ClusterClient) async throws -> ClusterHealth {
        for _ in 0..<1500 {
            if let health = try? await client.health(), health.state == .healthy { return health }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw LocalClusterError.notReady(afterSeconds: 30, reason: "\(try await client.health())")
    }

    private static func options(temperature: Double) -> ChatOptions {
        var options = ChatOptions()
        options.temperature = temperature
        options.repetitionPenalty = temperature > 0 ? 1.1 : nil
        options.seed = 17
        options.maximumTokenCount = 300
        return options
    }

    @Test func `a stream goes on where it was when the coordinator is killed and started anew`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var processes = Processes(stateFolder: folder)
        do {
            try await processes.startCoordinator()
            for name in ["a", "b"] { try processes.startWorker(name) }
            let client = ClusterClient(try CoordinatorAddress(processes.http))
            let messages = [ChatMessage(role: "user", content: "Once upon a time")]
            for temperature in [0, 0.8] {
                let before = try await Self.waitUntilHealthy(client)
                var undisturbed: [ChatEvent] = []
                for try await event in client.chatStream(messages, options: Self.options(temperature: temperature)) {
                    undisturbed.append(event)
                }
                for count in [1, 30] {
                    // A stream that was complete before the kill is read on without workers.
                    _ = try await Self.waitUntilHealthy(client)
                    var events: [ChatEvent] = []
                    for try await event in client.chatStream(messages, options: Self.options(temperature: temperature))
                    {
                        events.append(event)
                        guard events.count == count else { continue }
                        try await processes.kill("ryz-coord")
                        try await processes.startCoordinator()
                    }
                    // Event by event: nothing is lost, and nothing comes twice.
                    #expect(events == undisturbed, "killed after \(count)")
                }
                let after = try await Self.waitUntilHealthy(client)
                #expect(after.epoch > before.epoch)
                #expect(after.nodes.map(\.processID) == before.nodes.map(\.processID))
                #expect(after.nodes.map(\.stage) == before.nodes.map(\.stage))
                #expect(after.runningRequestCount + after.queuedRequestCount == 0)
            }
            // Who was drained stays so.
            try await client.operate(.drain(try #require(.init("b")), isForced: false))
            try await processes.kill("ryz-coord")
            try await processes.startCoordinator()
            for _ in 0..<1500 {
                if try await client.health().nodes.contains(where: { $0.name == "b" && $0.state == .drained }) { break }
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(try await client.health().nodes.first { $0.name == "b" }?.state == .drained)
        } catch {
            await processes.children.stop()
            throw error
        }
        await processes.children.stop()
    }
}
