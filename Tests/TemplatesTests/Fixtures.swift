import Foundation
import Templates
import Testing

/// One conversation of a fixture file and what the reference made of it.
struct FixtureCase: CustomTestStringConvertible, Sendable {
    let template: String
    let prompt: ChatPrompt
    let expectation: Expectation
    let testDescription: String

    enum Expectation {
        case output(String)
        /// The message that the template raises.
        case error(String)
    }
}

/// The chat templates of real models with reference outputs, if they are beside the project.
enum Fixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../shared/fixtures/chat-templates").standardizedFileURL
    static let isPresent = !files.isEmpty

    static let files: [URL] =
        ((try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? [])
        .filter { $0.pathExtension == "json" }
        .sorted { $0.path() < $1.path() }

    /// Every case of every file; a file that cannot be read as expected fails the tests by its absence from this count.
    static let cases: [FixtureCase] = files.flatMap { (try? cases(of: $0)) ?? [] }

    static let templates: [String] = files.compactMap { try? document($0)["template"]?.stringValue }

    struct Malformed: Error {}

    static func document(_ file: URL) throws -> TemplateMapping {
        guard let mapping = try TemplateValue(json: Array(Data(contentsOf: file))).mappingValue else {
            throw Malformed()
        }
        return mapping
    }

    static func cases(of file: URL) throws -> [FixtureCase] {
        let document = try document(file)
        guard let template = document["template"]?.stringValue, let now = document["now"]?.stringValue,
            let cases = document["cases"]?.elements
        else { throw Malformed() }
        let date = try Date(now, strategy: .iso8601.year().month().day())
        return try cases.map { value in
            guard let entry = value.mappingValue, let name = entry["name"]?.stringValue,
                let messages = entry["messages"]?.elements, case .boolean(let adds)? = entry["add_generation_prompt"]
            else { throw Malformed() }
            let prompt = ChatPrompt(
                messages: messages, tools: entry["tools"]?.elements, addsGenerationPrompt: adds,
                beginningOfSequence: document["bos_token"]?.stringValue,
                endOfSequence: document["eos_token"]?.stringValue,
                secondsSince1970: Int64(date.timeIntervalSince1970))
            let expectation: FixtureCase.Expectation
            if let output = entry["output"]?.stringValue {
                expectation = .output(output)
            } else if let error = entry["error"]?.stringValue, error.hasPrefix("TemplateError: ") {
                expectation = .error(String(error.dropFirst("TemplateError: ".count)))
            } else {
                throw Malformed()
            }
            return FixtureCase(
                template: template, prompt: prompt, expectation: expectation,
                testDescription: "\(file.deletingPathExtension().lastPathComponent), \(name)")
        }
    }
}
