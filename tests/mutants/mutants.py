"""Faults that a careful reviewer would fear, and the tests that must notice each of them: see `run.py`."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Mutant:
    name: str  # what is wrong with the product where this stands in it
    file: str  # under src/clm
    text: str  # stands in the file exactly once
    instead: str
    tests: tuple[str, ...]  # files or node ids under tests/, the narrowest that must notice

    def applied(self) -> str:
        """The file's text with the fault. Raises ValueError unless there is one place for it."""
        before = (SOURCE / "clm" / self.file).read_text(encoding="utf-8")
        if (found := before.count(self.text)) != 1:
            raise ValueError(f"{self.file} holds the text of {self.name!r} {found} times, and not once.")
        return before.replace(self.text, self.instead)


# fmt: off
MUTANTS = (
    # What is written stays written.
    Mutant("A written file is renamed before its content is on disk", "core/files.py",
           "            os.fsync(file.fileno())\n        os.replace", "        os.replace",
           ("unit/core/test_core_files.py::test_a_file_is_on_disk_before_it_has_its_name_and_its_name_after",)),
    Mutant("A renamed file's folder is not synced", "core/files.py",
           "        raise\n    sync_folder(path.parent)", "        raise",
           ("unit/core/test_core_files.py::test_a_file_is_on_disk_before_it_has_its_name_and_its_name_after",)),
    Mutant("An adopted folder's place is not synced", "core/files.py",
           "        os.replace(temporary, final)\n        sync_folder(final.parent)",
           "        os.replace(temporary, final)",
           ("unit/core/test_core_files.py::test_an_adopted_folder_has_its_place_on_disk",)),
    Mutant("An expert gets the name of its content before it is on disk", "llm/experts.py",
           "adopt_folder(sync_tree(temporary),", "adopt_folder(temporary,",
           ("unit/llm/test_llm_durable.py",)),
    Mutant("A half-written file is left behind after an error", "core/files.py",
           "        Path(temporary).unlink(missing_ok=True)\n", "",
           ("unit/core/test_core_files.py::test_a_write_that_fails_leaves_what_was_there_and_nothing_else",)),
    Mutant("An upload is acknowledged before it is on disk", "ingest/spool.py",
           "            os.fsync(self._file.fileno())\n", "",
           ("unit/ingest/test_ingest_spool.py",)),
    Mutant("A committed version of a table is not synced", "store/delta.py",
           "    _sync_file(log)\n", "",
           ("unit/store/test_store_durable.py",)),
    Mutant("The files of a release are not synced before it gets its name", "registry/filling.py",
           "            sync_file(file)\n", "            pass\n",
           ("unit/registry/test_registry_bundle.py::test_a_release_is_on_disk_before_it_has_its_name",)),
    # Each row once.
    Mutant("A row that is there already is added again", "store/writing.py",
           "if record in known:", "if record in known and not record.content:",
           ("unit/store/test_store_append.py::test_every_batch_is_one_version_and_the_same_content_is_a_duplicate",)),
    Mutant("A delivery's key is forgotten", "ingest/service.py",
           "idempotency_key=key, body_hash", "idempotency_key=None, body_hash",
           ("integration/ingest/test_ingest_http.py::test_the_same_key_is_one_delivery",)),
    Mutant("A key may come again with another body", "ingest/service.py",
           "if known.body_hash != body_hash:", "if not known.body_hash:",
           ("integration/ingest/test_ingest_http.py::test_the_same_key_is_one_delivery",)),
    # A model doesn't train on its exam, nor on what no longer holds.
    Mutant("A held-out prompt is taken as a training row", "store/writing.py",
           "elif barred.bars(record):", "elif barred.bars(record) and not record.content:",
           ("unit/store/test_store_append.py::test_the_same_batch_twice_has_one_effect_and_one_answer",)),
    Mutant("Held-out rows are chosen for training", "store/mixture.py",
           'row["prompt_key"] not in view.held_out\n              and row["record_id"]', 'row["record_id"]',
           ("unit/store/test_store_mixture.py::test_rows_that_were_held_out_later_are_left_out",)),
    Mutant("The last look at a mixture lets held-out prompts pass", "store/mixture.py",
           "    if leaked:\n", "    if not taught:\n",
           ("unit/store/test_store_mixture.py::test_a_stored_hash_that_lies_can_not_smuggle_a_held_out_row_in",)),
    Mutant("Texts that differ in case or blanks only count as different ones", "core/content.py",
           "return sha256_json(normalised(asked))", "return sha256_json(asked)",
           ("unit/store/test_store_append.py::test_a_held_out_prompt_is_barred_however_it_is_written",)),
    Mutant("Turns that differ in case or blanks only count as different prompts", "core/content.py",
           'normalised(turn["content"])]', 'turn["content"]]',
           ("unit/store/test_store_append.py::test_a_held_out_prompt_is_barred_however_it_is_written",)),
    Mutant("A near-duplicate of a taught prompt is held out", "ingest/holdout.py",
           "    if near:\n", "    if not sides:\n",
           ("unit/ingest/test_ingest_routing.py::test_near_duplicates_with_one_answer_stand_on_one_side",)),
    Mutant("A superseded answer is trained on", "store/mixture.py",
           'and row["record_id"] not in standing.superseded\n              and', "and",
           ("unit/store/test_store_versions.py::test_what_is_taught_does_not_depend_on_the_order_of_deliveries",)),
    Mutant("Replay draws rows of batches that are held", "store/mixture.py",
           'for row in view.usable(task) if row["batch_id"] not in held}', "for row in view.usable(task)}",
           ("unit/store/test_store_replay.py::"
            "test_held_rows_of_another_task_are_not_replayed_though_a_memory_has_them",)),
    Mutant("Rows of held batches count to the next update", "ingest/repository.py",
           "        Batch.id.not_in(held),\n", "",
           ("integration/ingest/test_ingest_held.py::test_what_is_held_counts_for_nothing_until_it_is_released",)),
    Mutant("Rows that came between a moment and a version count again", "ingest/repository.py",
           "if version is None else Batch", "if since else Batch",
           ("integration/ingest/test_ingest_service.py::"
            "test_rows_of_a_version_that_was_pinned_are_no_news_whenever_they_came",)),
    # The gate: no easier than it says.
    Mutant("A score that is no number is compared like any other", "evaluation/comparison.py",
           "if not all(0 <= example.score <= 1 for", "if any(example.score < 0 or example.score > 1 for",
           ("unit/evaluation/test_evaluation_gate.py::test_without_clean_data_nothing_passes",)),
    Mutant("The sign of the average's margin is flipped", "evaluation/gate.py",
           "average < -terms.overall_margin", "average < terms.overall_margin",
           ("unit/evaluation/test_evaluation_gate_terms.py::test_small_losses_on_many_tasks_are_one_large_one",)),
    Mutant("The sign of a task's margin is flipped", "evaluation/comparison.py",
           "return exact.loss_ruled_out_p(*self.counts, self.n, self.margin)",
           "return exact.loss_ruled_out_p(*self.counts, self.n, -self.margin)",
           ("unit/evaluation/test_evaluation_gate.py::"
            "test_a_tie_passes_where_examples_suffice_and_is_inconclusive_where_they_do_not",)),
    Mutant("Won and lost examples are swapped", "evaluation/comparison.py",
           "return exact.loss_ruled_out_p(*self.counts,", "return exact.loss_ruled_out_p(*self.counts[::-1],",
           ("unit/evaluation/test_evaluation_gate.py::"
            "test_a_small_uncertain_loss_is_inconclusive_and_the_estimate_decides",)),
    Mutant("The gate spends twice its error rate", "evaluation/gate.py",
           "_look(side, terms, 1 - confidence, early_stop)", "_look(side, terms, 2 * (1 - confidence), early_stop)",
           ("unit/evaluation/test_evaluation_gate.py::test_a_clear_loss_fails_with_its_numbers",)),
    Mutant("The error rate is not split over repair's tries", "evaluation/spending.py",
           "return error * _OF_TRIES / tries if is_try", "return error if is_try",
           ("unit/evaluation/test_evaluation_gate_terms.py::"
            "test_repairs_look_at_the_same_examples_with_a_share_of_the_error_rate",)),
    Mutant("The update's own candidate leaves nothing to repair's tries", "evaluation/spending.py",
           "left = error * (1 - _OF_TRIES)", "left = error",
           ("unit/evaluation/test_evaluation_gate_terms.py::"
            "test_all_looks_together_pass_a_true_loss_as_rarely_as_one",)),
    Mutant("The certificate by route is given although prompts change hands", "evaluation/ruling_out.py",
           "if changed and bound > pair.margin:", "if changed and bound > 1:",
           ("unit/evaluation/test_evaluation_ruling_out.py",)),
    Mutant("A prompt whose expert is not known counts as unchanged", "evaluation/comparison.py",
           "a.answered_by is None or ", "",
           ("unit/evaluation/test_evaluation_gate_terms.py::"
            "test_one_graded_score_leaves_a_suite_with_the_exact_test",)),
    Mutant("A part of a suite can pass", "evaluation/ruling_out.py",
           "if not pair.complete or level <= 0:", "if level <= 0:",
           ("unit/evaluation/test_evaluation_error_rates.py::"
            "test_a_part_of_a_suite_never_passes_and_only_a_looks_part_is_compared",)),
    # Rollouts: nothing but evidence promotes, and going back works.
    Mutant("No data counts as pass", "deployment/analysis.py",
           'if c.verdict != "pass"]', 'if c.verdict == "inconclusive"]',
           ("unit/deployment/test_deployment_analysis.py",)),
    Mutant("What is inconclusive promotes", "deployment/analysis.py",
           'if c.verdict != "pass"]', 'if c.verdict == "no-data"]',
           ("unit/deployment/test_deployment_analysis.py",)),
    Mutant("A latency that is no number passes", "deployment/analysis.py",
           "return math.isfinite(value) and value >= 0", "return value is not None",
           ("unit/deployment/test_deployment_analysis.py",)),
    Mutant("A paused rollout goes on", "deployment/service.py",
           'elif analysis.verdict == "promote" and row.state == "running":', 'elif analysis.verdict == "promote":',
           ("unit/deployment/test_deployment_service.py",)),
    Mutant("Serving is told before the change is committed", "deployment/switch.py",
           "    reconcile(database, settings)\n", "        reconcile(database, settings)\n",
           ("unit/deployment/test_deployment_endpoints.py",)),
    Mutant("A broken routes file stops serving", "serving/routes.py",
           "except (OSError, ValueError, KeyError, TypeError) as error:", "except OSError as error:",
           ("unit/serving/test_serving_split.py::test_the_file_is_read_again_when_replaced_and_kept_when_broken",)),
    Mutant("Answers are lost while the database is down", "serving/gateway/request_log.py",
           "                    self._waiting.extendleft(reversed(batch))\n", "",
           ("unit/serving/test_serving_request_log.py::test_nothing_is_lost_while_the_database_is_locked",)),
    Mutant("A conversation changes sides from one process to the next", "serving/gateway/split.py",
           "{conversation}\".encode()", "{hash(conversation)}\".encode()",
           ("unit/serving/test_serving_split.py::test_a_conversation_has_its_place_in_every_process",)),
    Mutant("A conversation changes sides when the share rises", "serving/gateway/split.py",
           "if route.candidate and position(model, route.candidate, conversation)",
           'if route.candidate and position(model, f"{route.candidate}{route.candidate_share}", conversation)',
           ("unit/serving/test_serving_split.py::test_a_conversation_stays_on_the_candidate_while_the_share_rises",)),
    # What is loaded is what was signed, and runs no code.
    Mutant("The digest of a release's file is not checked", "registry/bundle.py",
           "elif sha256_file(path / name) != expected[name]:", "elif not expected[name]:",
           ("unit/registry/test_registry_bundle.py::test_a_damaged_expert_is_not_handed_to_the_next_release",)),
    Mutant("A file that does not belong to a release is accepted", "registry/bundle.py",
           "for name in sorted(expected.keys() | there):", "for name in sorted(expected):",
           ("unit/registry/test_registry_bundle.py::test_an_extra_file_is_refused",)),
    Mutant("A release's signature is not verified", "registry/bundle.py",
           "    signing.verify(path, keys)\n    return", "    return",
           ("unit/registry/test_registry_bundle.py::test_every_file_is_covered",)),
    Mutant("Pickled weights may lie in a model's folder", "llm/model_files.py",
           'r"config\\.json|generation', 'r"pytorch_model\\.bin|config\\.json|generation',
           ("unit/llm/test_llm_model_files.py::test_spoiled_folders_are_refused_with_the_reason",)),
    Mutant("An expert may be pickled", "llm/model_files.py",
           'r"adapter_config\\.json|adapter_model\\.safetensors"',
           'r"adapter_config\\.json|adapter_model\\.(safetensors|bin)"',
           ("unit/llm/test_llm_model_files.py::test_expert_folders_are_held_to_the_same",)),
    Mutant("A model's configuration may name code", "llm/model_files.py",
           'r"auto_map|trust', 'r"trust',
           ("unit/llm/test_llm_model_files.py::test_spoiled_folders_are_refused_with_the_reason",)),
    # The audit tells every change.
    Mutant("A rollout's steps are not in the audit", "deployment/service.py",
           '    audit(session, caller, action, "deployment", deployment.model, before=before, after=after)\n', "",
           ("unit/deployment/test_deployment_service.py::test_every_change_has_an_audit_entry_and_an_event",)),
    Mutant("A taken batch is not in the audit", "ingest/service.py",
           'audit(session, caller, action, "batch", batch.id,', "dict(action=action,",
           ("integration/ingest/test_ingest_service.py::test_good_rows_are_kept_and_bad_ones_told",)),
    Mutant("An audit entry is committed although its change is not", "audit/service.py",
           "    session.flush()\n    events", "    session.commit()\n    events",
           ("unit/audit/test_audit_service.py::test_a_change_that_is_dropped_leaves_no_entry_and_no_event",)),
    Mutant("An audit entry need not follow from the one before", "audit/chain.py",
           "if link.previous_hash != previous_hash:", "if not link.previous_hash:",
           ("unit/audit/test_audit_chain.py::test_attacks_on_the_order_are_found",)),
    Mutant("The end of the audit can be cut off", "audit/service.py",
           "    if anchored > sequence:\n", "    if anchored < 0:\n",
           ("unit/audit/test_audit_chain.py::test_a_cut_off_end_is_found_by_the_signed_head_only",)),
    # Who asks gets what was meant, and no more.
    Mutant("The router never says none of these", "llm/router.py",
           "(self.tasks[n] if ok else BASE, 1.0)", "(self.tasks[n], 1.0)",
           ("unit/llm/test_llm_router.py::test_each_task_keeps_its_new_prompts_and_strangers_go_to_the_base",)),
    Mutant("Control tokens in people's messages are control tokens", "llm/tokenizer.py",
           '"content": self.guard(message["content"])}', '"content": message["content"]}',
           ("unit/llm/test_llm_prompts.py::test_control_tokens_that_people_spell_are_text",)),
    Mutant("Control tokens in plain text are control tokens", "llm/tokenizer.py",
           "return self.encode(self.guard(text))", "return self.encode(text)",
           ("unit/llm/test_llm_prompts.py::test_control_tokens_that_people_spell_are_text",)),
    Mutant("A prompt that is too long has no code", "serving/engine/app.py",
           ', code="context_length_exceeded"', "",
           ("integration/serving/test_serving_openai.py::"
            "test_a_prompt_that_is_too_long_has_its_code_and_a_long_wish_is_cut",)),
    Mutant("A wish that nobody knows is taken and not met", "serving/gateway/schemas.py",
           "return asked is None or known or any(_same(asked, said) for said in cls.neutral.get(name, ()))",
           "return True",
           ("unit/serving/test_serving_schemas.py",)),
    Mutant("Any host name is answered", "core/http.py",
           "allowed_hosts=LOOPBACK", 'allowed_hosts=["*"]',
           ("unit/core/test_core_http.py::test_no_other_host_name_is_answered",)),
    Mutant("A foreign page may send requests", "core/http.py",
           "and not _same_host(origin):", "and not origin:",
           ("unit/core/test_core_http.py::test_a_foreign_page_changes_nothing",)),
    Mutant("The dashboard's address gives out any file", "app.py",
           "if not file.is_relative_to(DASHBOARD) or not file.is_file():", "if not file.is_file():",
           ("unit/views/test_views_dashboard.py",)),
    Mutant("A cancelled update ends as failed", "orchestration/steps.py",
           'return step("cancelled", ended, "cancelled",', 'return step("cancelled", ended, "failed",',
           ("unit/orchestration/test_orchestration_ends.py",)),
    Mutant("The control plane imports torch", "app.py",
           "from clm import __version__\n", "import torch\n\nfrom clm import __version__\n",
           ("architecture/test_architecture_imports.py::"
            "test_a_process_of_the_control_plane_starts_without_heavy_libraries[clm.app-unwanted0]",)),
)
