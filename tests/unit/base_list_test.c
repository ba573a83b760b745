/*
 * tests/unit/base_list_test.c - intrusive lists.
 */
#include "test.h"

#include "base/list.h"

struct item {
	int number;
	struct list node;
};

static void
check_order(struct list *head, const char *want)
{
	char seen[32];
	size_t n = 0;

	list_foreach (node, head)
		seen[n++] = (char)('0' + list_entry(node, struct item, node)->number);
	CHECK_BYTES(seen, n, want, strlen(want));
	n = 0;
	for (struct list *node = head->prev; node != head; node = node->prev)
		CHECK_INT(
		    '0' + list_entry(node, struct item, node)->number, want[strlen(want) - ++n]);
	CHECK_U64(n, strlen(want));
	CHECK(list_empty(head) == (*want == '\0'));
}

TEST(nodes_come_and_go_in_order)
{
	struct list head;
	struct item items[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 },
		{ .number = 3 } };

	list_init(&head);
	check_order(&head, "");
	CHECK(list_linked(&head));
	for (size_t i = 0; i < 4; i++) {
		CHECK(!list_linked(&items[i].node));
		list_append(&head, &items[i].node);
		CHECK(list_linked(&items[i].node));
	}
	check_order(&head, "0123");
	list_remove(&items[1].node);
	CHECK(!list_linked(&items[1].node));
	CHECK(!items[1].node.prev);
	check_order(&head, "023");
	list_remove(&items[1].node); /* on no list: nothing happens */
	check_order(&head, "023");
	list_remove(&items[0].node);
	list_remove(&items[3].node);
	check_order(&head, "2");
	list_append(&head, &items[1].node);
	check_order(&head, "21");
	list_remove(&items[2].node);
	list_remove(&items[1].node);
	check_order(&head, "");
}

TEST(the_current_node_may_leave_during_a_walk)
{
	struct list head, other;
	struct item items[5];

	for (unsigned leave = 0; leave < 32; leave++) {
		char stay[6] = "", gone[6] = "";
		size_t n = 0, g = 0;

		list_init(&head);
		list_init(&other);
		for (int i = 0; i < 5; i++) {
			items[i] = (struct item){ .number = i };
			list_append(&head, &items[i].node);
			if (leave >> i & 1)
				gone[g++] = (char)('0' + i);
			else
				stay[n++] = (char)('0' + i);
		}
		list_foreach_safe (node, &head)
			if (leave >> list_entry(node, struct item, node)->number & 1) {
				list_remove(node);
				list_append(&other, node);
			}
		test_note("leaving %s", gone);
		check_order(&head, stay);
		check_order(&other, gone);
	}
}
