import ArgumentParser
import CommandSupport
import OperatorTools

/// Measures what ranks of one stage wait for each other.
struct ExchangeBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exchange",
        abstract: "Measures how long two ranks on this machine take to add up a vector, beside bare ZeroMQ.",
        discussion: """
            Example:
              ryz bench exchange --bytes 10240

            A second process is the other rank. Both send their part and have the sum (all-reduce): through shared
            memory, and over sockets as on two machines. The ping-pong is one message of as many bytes, there and back
            again over the same kind of connection, with nothing of ours but the socket.
            """)

    @Option(help: "Bytes of the vector, a multiple of 4. A BitNet 2B layer has 10240.")
    var bytes = 10240
    @Option(help: "Exchanges of each kind.")
    var exchanges = 4000
    @Flag(help: "Print JSON, in seconds.")
    var json = false
    @Option(help: .hidden)
    var meetingPoint: String?

    func validate() throws {
        try ThreadOptions.check(bytes, "--bytes", in: 4...(1 << 20))
        try ThreadOptions.check(exchanges, "--exchanges", in: 10...1_000_000)
        if bytes % 4 != 0 { throw ValidationError("--bytes \(bytes): use a multiple of 4") }
    }

    func run() throws {
        let load = ExchangeLoad(byteCount: bytes, exchangeCount: exchanges)
        if let meetingPoint {
            try ExchangeRank.second(load, meetingPoint: meetingPoint)
            return
        }
        let report = try ExchangeRank.first(load)
        Terminal.write((json ? try JSONOutput.text(report, isPretty: true) : report.text) + "\n")
    }
}

/// What both processes do alike: exchanges of each kind take turns in blocks, so that all meet the same machine.
struct ExchangeLoad {
    var byteCount: Int
    var exchangeCount: Int

    /// The first one is for everything to warm up, and does not count.
    static let blockCount = 11

    var exchangesPerBlock: Int { max(1, exchangeCount / (Self.blockCount - 1)) }
}
