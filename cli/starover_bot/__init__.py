"""The same runbooks from a team's chat: a core that knows no chat, a desk that performs, and Slack at the edge."""
