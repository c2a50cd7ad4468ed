import Foundation

/// The benchmark program of llama.cpp, or of an engine made from it: `llama-bench`.
public struct LlamaBench: Sendable {
    public var program: String
    /// Its model file, in whatever format the peer is fastest with.
    public var model: String
    public var timeout = Duration.seconds(1800)

    /// Bytes of output and of messages that are looked at.
    private static let largestOutput = 1 << 20

    public init(program: String, model: String) {
        (self.program, self.model) = (program, model)
    }

    /// Tokens a second.
    public struct Rates: Equatable, Sendable {
        public var prefill: Double
        public var decode: Double

        public init(prefill: Double, decode: Double) { (self.prefill, self.decode) = (prefill, decode) }
    }

    /// Runs it once: a prompt of `prompt` tokens, and `generate` tokens from an empty context.
    public func run(threads: Int, prompt: Int, generate: Int) throws(PeerError) -> Rates {
        let arguments = [
            "-m", model, "-t", "\(threads)", "-p", "\(prompt)", "-n", "\(generate)", "-r", "1", "-o", "json",
        ]
        return try rates(in: output(arguments), prompt: prompt, generate: generate)
    }

    /// Finds both figures in what it printed.
    func rates(in output: [UInt8], prompt: Int, generate: Int) throws(PeerError) -> Rates {
        let tests: [Test]
        do throws(InputError) { tests = try Self.tests(in: output) } catch {
            throw .unexpected(program: program, problem: error.description)
        }
        func rate(_ prompt: Int, _ generate: Int) throws(PeerError) -> Double {
            let matches = tests.filter { $0.promptCount == prompt && $0.generatedCount == generate }
            guard matches.count == 1, let rate = matches.first?.tokensPerSecond, rate.isFinite, rate > 0 else {
                throw .unexpected(
                    program: program, problem: "no rate of one test with n_prompt \(prompt) and n_gen \(generate)")
            }
            return rate
        }
        return Rates(prefill: try rate(prompt, 0), decode: try rate(0, generate))
    }

    /// What it prints to standard output. It goes through a file, so that nobody waits for a reader.
    private func output(_ arguments: [String]) throws(PeerError) -> [UInt8] {
        let files = FileManager.default
        let folder = files.temporaryDirectory.appendingPathComponent("ryz-peer-\(UUID().uuidString)")
        defer { try? files.removeItem(at: folder) }
        let (outputURL, errorURL) = (folder.appendingPathComponent("output"), folder.appendingPathComponent("errors"))
        let process = Process()
        do {
            try files.createDirectory(at: folder, withIntermediateDirectories: false)
            try Data().write(to: outputURL)
            try Data().write(to: errorURL)
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = arguments
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = try FileHandle(forWritingTo: outputURL)
            process.standardError = try FileHandle(forWritingTo: errorURL)
            try process.run()
        } catch {
            let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
            throw .cannotStart(program: program, reason: (underlying ?? error as NSError).localizedDescription)
        }
        // A child has a process group of its own, which Ctrl-C on the terminal does not reach.
        let interruption = InterruptFlag()
        let deadline = ContinuousClock.now.advanced(by: timeout)
        while process.isRunning {
            guard !interruption.isRaised else {
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                throw .interrupted
            }
            guard ContinuousClock.now < deadline else {
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                throw .timedOut(program: program, seconds: Int(timeout.components.seconds))
            }
            // Seldom enough to leave the peer its processors.
            Thread.sleep(forTimeInterval: 0.05)
        }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let message = String(decoding: Self.read(errorURL), as: UTF8.self)
            let last = message.split(whereSeparator: \.isNewline).last.map { String($0.suffix(300)) } ?? "no message"
            throw .failed(program: program, status: process.terminationStatus, message: last)
        }
        return Self.read(outputURL)
    }

    private static func read(_ url: URL) -> [UInt8] {
        guard let handle = try? FileHandle(forReadingFrom: url) else { return [] }
        defer { try? handle.close() }
        return Array((try? handle.read(upToCount: largestOutput)) ?? Data())
    }
}
