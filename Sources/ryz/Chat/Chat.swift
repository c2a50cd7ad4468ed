import ArgumentParser
import ClusterClient
import CommandSupport

struct Chat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Talks with the model of a running cluster.",
        discussion: """
            Example:
              ryz chat --system 'You answer briefly.' --max-tokens 200

            Each line is a turn. Ctrl-C stops an answer, /clear begins anew, and /exit, Ctrl-D or Ctrl-C at the prompt
            ends. Input may be piped: then only the answers are printed.
            """)

    @OptionGroup var cluster: CoordinatorOption
    @Option(help: "What the model is told before the conversation.")
    var system: String?
    @Option(help: "How freely tokens are chosen, 0 to 2; 0 always takes the most likely one.")
    var temperature: Double?
    @Option(help: "Choose only among the likeliest tokens that together have this probability, 0 to 1.")
    var topP: Double?
    @Option(help: "Most tokens of an answer.")
    var maxTokens: Int?
    @Option(help: "Equal seeds give equal answers.")
    var seed: UInt64?

    func validate() throws {
        if let temperature, !(0...2).contains(temperature) {
            throw ValidationError("--temperature \(temperature): use 0 to 2")
        }
        if let topP, !(0...1).contains(topP) { throw ValidationError("--top-p \(topP): use 0 to 1") }
        try ThreadOptions.check(maxTokens, "--max-tokens", in: 1...1_000_000)
    }

    func run() async throws {
        let client = try cluster.client()
        var options = ChatOptions()
        options.temperature = temperature
        options.topP = topP
        options.maximumTokenCount = maxTokens
        options.seed = seed
        // Before anything is typed, say whether there is somebody to talk to.
        let model = try await client.models().first ?? "the model"
        let isInteractive = Terminal.hasInput && Terminal.hasOutput
        if isInteractive { Terminal.writeError("\(model); /exit or Ctrl-D ends, Ctrl-C stops an answer") }
        var conversation = Conversation(system: system)
        let answers = InterruptibleAnswers()
        await answers.listen()
        while let line = await InputLines.next(prompt: isInteractive ? "> " : "") {
            switch line {
            case "/exit", "/quit": return
            case "/clear": conversation.clear()
            case "": continue
            default:
                conversation.say(line)
                do {
                    let answer = try await answers.run { [conversation, options] in
                        try await Self.answer(client, conversation.messages, options)
                    }
                    conversation.hear(answer)
                } catch let error as ClusterClientError {
                    guard isInteractive else { throw error }
                    Terminal.writeError("Error: \(error)")
                    conversation.takeBack()
                }
            }
        }
        if isInteractive { Terminal.write("\n") }
    }

    /// Prints an answer as it comes and returns it, or as much of it as came before it was stopped.
    private static func answer(
        _ client: ClusterClient, _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> String {
        var text = ""
        do {
            for try await event in client.chatStream(messages, options: options) {
                guard case .text(let part) = event else { continue }
                text += part
                Terminal.write(part)
            }
        } catch is CancellationError {
        } catch {
            if !text.isEmpty { Terminal.write("\n") }
            throw error
        }
        Terminal.write("\n")
        return text
    }
}
