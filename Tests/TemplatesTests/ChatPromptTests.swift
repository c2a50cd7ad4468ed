import Templates
import Testing

struct ChatPromptTests {
    private let user: TemplateValue = ["role": "user", "content": "hi"]

    @Test func `a template sees the request under the usual names`() throws {
        let template = try ChatTemplate(
            source: """
                {{ bos_token }}{% for m in messages %}{{ m.role }}:{{ m.content }}{{ eos_token }}{% endfor %}
                {{ tools|length }} {{ documents[0].text }} {{ add_generation_prompt }} {{ strftime_now('%F') }} {{ mode }}
                """)
        let prompt = ChatPrompt(
            messages: [user], tools: [["name": "f"]], documents: [["text": "d"]], addsGenerationPrompt: false,
            beginningOfSequence: "<s>", endOfSequence: "</s>", secondsSince1970: 86_400, variables: ["mode": "x"])
        #expect(try prompt.render(with: template) == "<s>user:hi</s>1 d False 1970-01-02 x")
    }

    @Test func `what a request leaves out is undefined`() throws {
        let template = try ChatTemplate(
            source: "{{ tools is defined }}{{ documents is defined }}{{ bos_token is defined }}[{{ eos_token }}]")
        #expect(try ChatPrompt(messages: [user]).render(with: template) == "FalseFalseFalse[]")
    }

    @Test func `template variables replace everything but the messages`() throws {
        let template = try ChatTemplate(source: "{{ add_generation_prompt }}{{ messages|length }}")
        let prompt = ChatPrompt(messages: [user], variables: ["add_generation_prompt": false, "messages": []])
        #expect(try prompt.render(with: template) == "False1")
    }

    @Test(arguments: [
        (-62_135_596_800, "0001-01-01 Mon 001 01"), (-1, "1969-12-31 Wed 365 01"),
        (951_782_400, "2000-02-29 Tue 060 09"),
        (4_107_542_399, "2100-02-28 Sun 059 08"), (1_609_459_200, "2021-01-01 Fri 001 53"),
        (253_402_300_799, "9999-12-31 Fri 365 52"), (Int64.max, "9999-12-31 Fri 365 52"),
        (Int64.min, "0001-01-01 Mon 001 01"),
    ])
    func `dates are right at the edges of the calendar`(seconds: Int64, expected: String) throws {
        let template = try ChatTemplate(
            source: "{{ '%04d'|format(strftime_now('%Y')|int) }}{{ strftime_now('-%m-%d %a %j %V') }}")
        #expect(try template.render([:], secondsSince1970: seconds) == expected)
    }
}
