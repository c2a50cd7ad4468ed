import Foundation
import Templates
import Testing

@testable import OperatorTools

@Suite struct InputTests {
    private func tokens(_ json: String) throws(InputError) -> [Int32] {
        try TokensFile.parse(Array(json.utf8), path: "ids.json")
    }

    private func conversation(_ json: String) throws(InputError) -> ChatPrompt {
        try ConversationFile.parse(Array(json.utf8), path: "chat.json")
    }

    @Test func `token ids are an array, or the ids of an object`() throws {
        #expect(try tokens("[1, 2, 2147483647]") == [1, 2, 2_147_483_647])
        #expect(try tokens(#"{"pieces": ["a"], "ids": [7]}"#) == [7])
    }

    @Test(arguments: [
        ("[]", "there are no token ids; give at least one"),
        ("[1, -1]", "element 1 is not a token id from 0 to 2147483647"),
        ("[2147483648]", "element 0 is not a token id from 0 to 2147483647"),
        ("[1.5]", "element 0 is not a token id from 0 to 2147483647"),
        (#"["1"]"#, "element 0 is not a token id from 0 to 2147483647"),
        ("{}", "neither an array of token ids nor an object with an array 'ids'"),
        (#"{"ids": 1}"#, "neither an array of token ids nor an object with an array 'ids'"),
    ])
    func `what is not token ids is refused with the place`(json: String, problem: String) {
        #expect(throws: InputError.unexpected(path: "ids.json", problem: problem)) { try tokens(json) }
    }

    @Test func `broken JSON is refused with its byte`() {
        let error = #expect(throws: InputError.self) { try tokens("[1, }") }
        #expect(error?.description.hasPrefix("ids.json: JSON, byte 4:") == true)
    }

    @Test func `a conversation is an array of messages`() throws {
        let prompt = try conversation(#"[{"role": "user", "content": "Hi"}]"#)
        #expect(prompt.messages.count == 1)
        #expect(prompt.tools == nil)
        #expect(prompt.addsGenerationPrompt)
    }

    @Test func `a conversation may be an object with tools, a generation prompt and variables`() throws {
        let prompt = try conversation(
            #"{"messages": [{"role": "user"}], "tools": [{}, {}], "add_generation_prompt": false, "thinking": "no"}"#)
        #expect(prompt.messages.first?.mappingValue?["role"]?.stringValue == "user")
        #expect(prompt.tools?.count == 2)
        #expect(!prompt.addsGenerationPrompt)
        #expect(prompt.variables["thinking"]?.stringValue == "no")
        #expect(try conversation(#"{"messages": [], "tools": null}"#).tools == nil)
    }

    @Test(arguments: [
        (#"{"tools": []}"#, "'messages' is missing; give an array of messages"),
        (#""Hello""#, "'messages' is not an array"), ("[1]", "message 0 is not an object with a 'role'"),
        (#"[{"role": "user"}, {"content": "x"}]"#, "message 1 is not an object with a 'role'"),
        (#"{"messages": [], "tools": {}}"#, "'tools' is not an array"),
        (#"{"messages": [], "add_generation_prompt": 1}"#, "'add_generation_prompt' is not true or false"),
    ])
    func `what is no conversation is refused with the place`(json: String, problem: String) {
        #expect(throws: InputError.unexpected(path: "chat.json", problem: problem)) { _ = try conversation(json) }
    }

    @Test func `files are read as they are, and refused when too large or not UTF-8`() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("input-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        try Data([0xEF, 0xBB, 0xBF, 0x61, 0x0D, 0x0A]).write(to: url)
        #expect(try Array(InputFile.text(url.path).utf8) == [0xEF, 0xBB, 0xBF, 0x61, 0x0D, 0x0A])
        #expect(throws: InputError.tooLarge(path: url.path, limitByteCount: 5)) {
            try InputFile.bytes(url.path, maximumByteCount: 5)
        }
        try Data([0x61, 0xFF]).write(to: url)
        #expect(throws: InputError.notUTF8(path: url.path)) { try InputFile.text(url.path) }
    }

    @Test func `a missing file is named with the reason`() {
        let error = #expect(throws: InputError.self) { try InputFile.bytes("/nonexistent/file") }
        guard case .unreadable(let path, let reason)? = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
        #expect(path == "/nonexistent/file")
        #expect(!reason.isEmpty)
    }
}
