import ClusterClient

/// What was said so far.
struct Conversation {
    private(set) var messages: [ChatMessage]
    private let system: [ChatMessage]

    init(system: String?) {
        self.system = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
        messages = self.system
    }

    mutating func say(_ text: String) { messages.append(ChatMessage(role: "user", content: text)) }
    mutating func hear(_ text: String) { messages.append(ChatMessage(role: "assistant", content: text)) }
    /// Forgets the last thing said, which got no answer.
    mutating func takeBack() { messages.removeLast() }
    mutating func clear() { messages = system }
}
